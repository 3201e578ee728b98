"""The gateway: one address for the HTTP API and for AWS itself.

Unsigned requests go to the stack's HTTP API, signed ones to the emulator as they are: so the
address that clients send events to is the ``AWS_ENDPOINT_URL`` of the same pipeline.
"""

import base64
import json
import logging
import secrets
import socket
import time
from datetime import UTC, datetime

import aiohttp
from aiohttp import web

from eventstream.local import http_api
from eventstream.local.aws_proxy import AwsProxy, is_signed
from eventstream.local.clock_guard import ClockGuard
from eventstream.local.http_api import HttpApi, Request
from eventstream.local.http_front import HttpFront, Served
from eventstream.local.reshard_guard import ReshardGuard

logger = logging.getLogger(__name__)
access = logging.getLogger("eventstream.access")

MAX_BODY_BYTES = 10 * 1024 * 1024
"""Largest body that API Gateway takes."""

MAX_HEADER_BYTES = 16 * 1024
_STOP_TIMEOUT_S = 35.0


class BodyTooLargeError(Exception):
    """A body is larger than API Gateway takes."""


class Gateway:
    """Serves the HTTP API and passes AWS calls on.

    Parameters
    ----------
    emulator_url
        Where the emulator answers.
    api
        The stack's HTTP API.
    region
        Its region.
    clock
        Says while nothing may be put on a stream.
    shards
        Keeps puts and changes of shards apart.
    """

    def __init__(
        self,
        emulator_url: str,
        api: HttpApi,
        region: str,
        clock: ClockGuard,
        shards: ReshardGuard,
    ) -> None:
        self._emulator = emulator_url
        self._api = api
        self._region = region
        self._clock = clock
        self._shards = shards
        self._client: aiohttp.ClientSession | None = None
        self._runner: web.ServerRunner | None = None

    async def start(self, listener: socket.socket) -> None:
        """Serve on a listening socket."""
        self._client = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
            timeout=aiohttp.ClientTimeout(total=None),
        )
        front = HttpFront(
            self._client,
            self._emulator,
            self._api,
            self._region,
            self._clock,
            shards=self._shards,
        )
        proxy = AwsProxy(self._client, self._emulator, self._shards)

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            if is_signed(request.headers, request.query):
                return await proxy.pass_on(request)
            return await _serve(front, request)

        # Compressed bodies must reach the function as they came.
        server = web.Server(
            handle,
            auto_decompress=False,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=_STOP_TIMEOUT_S)
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()

    async def stop(self) -> None:
        """Take no new requests, let those that are being answered end, and stop."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._client is not None:
            await self._client.close()


async def _serve(front: HttpFront, raw: web.BaseRequest) -> web.Response:
    started = time.perf_counter()
    request_id = base64.b64encode(secrets.token_bytes(11)).decode()
    try:
        request = await _request(raw, request_id)
        served = await front.serve(request)
    except BodyTooLargeError:
        served = Served(http_api.message(413, "Request Entity Too Large"))
    except Exception:
        logger.exception("%s %s failed in the gateway", raw.method, raw.path)
        served = Served(http_api.message(500, "Internal Server Error"))
    _log(raw, request_id, served, (time.perf_counter() - started) * 1000)
    answer = served.answer
    response = web.Response(status=answer.status, body=answer.body or None)
    for name, value in answer.headers.items():
        response.headers[name] = value
    response.headers["apigw-requestid"] = request_id
    for cookie in answer.cookies:
        response.headers.add("set-cookie", cookie)
    return response


async def _request(raw: web.BaseRequest, request_id: str) -> Request:
    path, _, query = raw.raw_path.partition("?")
    return Request(
        method=raw.method,
        raw_path=path,
        query=query,
        headers=[(name, value) for name, value in raw.headers.items()],
        body=await _read_body(raw),
        client_ip=raw.remote or "127.0.0.1",
        id=request_id,
        at=datetime.now(UTC),
    )


async def _read_body(raw: web.BaseRequest) -> bytes:
    if (raw.content_length or 0) > MAX_BODY_BYTES:
        raise BodyTooLargeError
    body = bytearray()
    async for chunk in raw.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLargeError
    return bytes(body)


def _log(raw: web.BaseRequest, request_id: str, served: Served, took_ms: float) -> None:
    """Write the access log's line; like the deployed one it holds nothing a client sent."""
    line = {
        "request_time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        "request_id": request_id,
        "route": None if served.route is None else served.route.key,
        "method": raw.method,
        "status": served.answer.status,
        "response_bytes": len(served.answer.body),
        "latency_ms": round(took_ms, 1),
    }
    access.info(json.dumps(line))
