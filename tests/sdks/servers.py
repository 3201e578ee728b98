"""Small HTTP servers of a test, on one event loop in a thread of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import aiohttp
from aiohttp import web

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

OF_THE_CONNECTION = frozenset(
    {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}
)
STOP_TIMEOUT_S = 10.0


class Servers:
    """Servers and the client they send with; all end together."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._runners: list[web.ServerRunner] = []
        self._client: aiohttp.ClientSession | None = None

    @property
    def client(self) -> aiohttp.ClientSession:
        """For handlers: passes bodies on as they are, compressed or not."""
        if self._client is None:
            self._client = aiohttp.ClientSession(
                auto_decompress=False, connector=aiohttp.TCPConnector(limit=0)
            )
        return self._client

    def serve(self, handler: Handler) -> str:
        """Serve on a free loopback port; return the address."""
        starting = asyncio.run_coroutine_threadsafe(self._serve(handler), self._loop)
        return starting.result(STOP_TIMEOUT_S)

    async def _serve(self, handler: Handler) -> str:
        runner = web.ServerRunner(web.Server(handler, auto_decompress=False), shutdown_timeout=1)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def close(self) -> None:
        for runner in self._runners:
            await runner.cleanup()
        if self._client is not None:
            await self._client.close()


@contextmanager
def servers() -> Iterator[Servers]:
    """Run an event loop for servers; end them and it on leaving."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="servers", daemon=True)
    thread.start()
    made = Servers(loop)
    try:
        yield made
    finally:
        asyncio.run_coroutine_threadsafe(made.close(), loop).result(STOP_TIMEOUT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(STOP_TIMEOUT_S)
        loop.close()


async def pass_on(
    client: aiohttp.ClientSession, upstream: str, request: web.BaseRequest, body: bytes
) -> web.Response:
    """Send a request to another address and return its answer."""
    headers = {
        name: value
        for name, value in request.headers.items()
        if name.lower() not in OF_THE_CONNECTION
    }
    async with client.request(
        request.method,
        upstream + request.raw_path,
        headers=headers,
        data=body,
        allow_redirects=False,
        skip_auto_headers=("Content-Type", "User-Agent", "Accept-Encoding"),
    ) as reply:
        answer = web.Response(status=reply.status, body=await reply.read())
        for name, value in reply.headers.items():
            if name.lower() not in OF_THE_CONNECTION:
                answer.headers[name] = value
        return answer


def hang_up(request: web.BaseRequest) -> web.Response:
    """Close the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
