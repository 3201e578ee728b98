"""Serving the HTTP API: limits, CORS, and the call of the function behind a route.

The emulator's own HTTP API is not used: it would answer ``/health`` itself, damage compressed
bodies, show stack traces to clients and throttle nothing.
"""

import asyncio
import json
import time
from dataclasses import dataclass

import aiohttp

from eventstream.local import http_api
from eventstream.local.clock_guard import ClockGuard
from eventstream.local.cors import without_cors
from eventstream.local.function_errors import FunctionErrors
from eventstream.local.http_api import Answer, HttpApi, Request, Route
from eventstream.local.reshard_guard import HeldUpError, ReshardGuard
from eventstream.local.session import ACCESS_KEY
from eventstream.local.throttle import TokenBucket

MAX_EVENT_BYTES = 6 * 1024 * 1024
"""Most bytes of the event of a synchronous call ("Lambda quotas")."""

CALLS_AT_ONCE = 4
"""Calls of one function at a time. The emulator starts a process per concurrent call: with 16
clients on two cores, 4 of them serve almost twice as many requests as 64 do, in half the memory."""


@dataclass(frozen=True)
class Served:
    """An answer, and the route that gave it; ``None`` when none did."""

    answer: Answer
    route: Route | None = None


class HttpFront:
    """Answers the requests of one HTTP API.

    Parameters
    ----------
    client
        The HTTP client.
    emulator_url
        Where the emulator answers.
    api
        The API.
    region
        Its region.
    clock
        Says while nothing may be put.
    shards
        Keeps puts and changes of shards apart.
    """

    def __init__(
        self,
        client: aiohttp.ClientSession,
        emulator_url: str,
        api: HttpApi,
        region: str,
        clock: ClockGuard,
        *,
        shards: ReshardGuard,
    ) -> None:
        self._client = client
        self._emulator = emulator_url
        self._api = api
        self._clock = clock
        self._shards = shards
        self._errors = FunctionErrors()
        # The emulator takes the region from here; it checks no signature.
        scope = f"Credential={ACCESS_KEY}/20260101/{region}/lambda/aws4_request"
        self._headers = {
            "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
            "Content-Type": "application/json",
        }
        self._slots = {route.function: asyncio.Semaphore(CALLS_AT_ONCE) for route in api.routes}
        self._buckets = {
            route.key: TokenBucket(route.rate, route.burst or 1, time.monotonic)
            for route in api.routes
            if route.rate is not None
        }

    async def serve(self, request: Request) -> Served:
        """Answer a request."""
        origin, cors = request.header("origin"), self._api.cors
        if cors is None:
            return await self._routed(request)
        if request.method == "OPTIONS":
            return Served(Answer(204, cors.preflight(origin)))
        served = await self._routed(request)
        answer = served.answer
        headers = {**without_cors(answer.headers), **cors.on_answer(origin)}
        return Served(Answer(answer.status, headers, answer.body, answer.cookies), served.route)

    async def _routed(self, request: Request) -> Served:
        found = self._api.match(request.method, request.path)
        if found is None:
            at_the_door = (request.method, request.path) == ("GET", "/")
            return Served(self._directory(request) if at_the_door else _not_found())
        route, variables = found
        bucket = self._buckets.get(route.key)
        if bucket is not None and not bucket.take():
            return Served(http_api.message(429, "Too Many Requests"), route)
        event = json.dumps(self._api.event(route, variables, request)).encode()
        if len(event) > MAX_EVENT_BYTES:
            return Served(http_api.message(413, "Request Entity Too Large"), route)
        if request.method != "POST":
            async with self._slots[route.function]:
                return Served(await self._call(route, event), route)
        try:
            async with self._shards.putting(), self._slots[route.function]:
                answer = self._held_up(request) or await self._call(route, event)
                # Looked at again: what was put while the clock went back may never be read.
                return Served(self._held_up(request) or answer, route)
        except HeldUpError as error:
            return Served(_unavailable(str(error), 1), route)

    def _directory(self, request: Request) -> Answer:
        """Answer ``GET /`` as AWS does, with 404, and tell who looks in where to go."""
        keys = sorted({route.key for route in self._api.routes} - {"$default"})
        reads = [key.removeprefix("GET ") for key in keys if key.startswith("GET ")]
        body = {
            "message": "Not Found",
            "see": [f"http://{request.header('host')}{path}" for path in reads],
            "routes": keys,
        }
        answer = _not_found()
        return Answer(answer.status, answer.headers, json.dumps(body, indent=2).encode() + b"\n")

    def _held_up(self, request: Request) -> Answer | None:
        """Refuse a POST while the clock is behind; the client sends it again later."""
        wait_s = self._clock.look() if request.method == "POST" else 0
        if not wait_s:
            return None
        return _unavailable(f"The clock went back; try again in {wait_s} s", wait_s)

    async def _call(self, route: Route, event: bytes) -> Answer:
        """Call the function; the client doesn't learn what goes wrong in it."""
        url = f"{self._emulator}/2015-03-31/functions/{route.function}/invocations"
        limit = aiohttp.ClientTimeout(total=route.timeout_s)
        try:
            async with self._client.post(
                url, data=event, headers=self._headers, timeout=limit
            ) as reply:
                body = await reply.read()
        except (TimeoutError, aiohttp.ClientError):
            return http_api.message(503, "Service Unavailable")
        if reply.status != 200:
            return http_api.message(503, "Service Unavailable")
        if "X-Amz-Function-Error" in reply.headers:
            self._errors.tell(route.function, body)
            return http_api.message(500, "Internal Server Error")
        return http_api.answer(json.loads(body))


def _not_found() -> Answer:
    return http_api.message(404, "Not Found")


def _unavailable(text: str, wait_s: int) -> Answer:
    refusal = http_api.message(503, text)
    headers = {**refusal.headers, "retry-after": str(wait_s)}
    return Answer(refusal.status, headers, refusal.body)
