"""Passing signed requests on to the emulator, byte for byte.

A change of a stream's shards waits until the stream is drained, see
`eventstream.local.reshard_guard`.
"""

from collections.abc import Iterable, Mapping

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from eventstream.local.reshard_guard import (
    CHANGES,
    PUTS,
    HeldUpError,
    ReshardGuard,
    UndrainedError,
    operation,
    stream_name,
)

_SIGNED_QUERY = frozenset({"X-Amz-Credential", "X-Amz-Signature", "AWSAccessKeyId"})
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "expect",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_CHUNK_BYTES = 64 * 1024


def is_signed(headers: Mapping[str, str], query: Iterable[str]) -> bool:
    """Say whether a request is a call of AWS: signed, or meant for one of its JSON services."""
    authorization = headers.get("Authorization", "")
    return (
        authorization.startswith(("AWS4-", "AWS "))
        or "X-Amz-Target" in headers
        or not _SIGNED_QUERY.isdisjoint(query)
    )


class AwsProxy:
    """Passes requests on to the emulator and its answers back.

    Parameters
    ----------
    client
        The HTTP client; it must leave compressed bodies alone.
    emulator_url
        Where the emulator answers.
    guard
        Keeps puts and changes of shards apart.
    """

    def __init__(
        self, client: aiohttp.ClientSession, emulator_url: str, guard: ReshardGuard
    ) -> None:
        self._client = client
        self._emulator = emulator_url
        self._guard = guard

    async def pass_on(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request with the emulator's answer.

        A request that a web page sends is refused: no page that is open in a browser may use the
        local pipeline as its AWS account.
        """
        if "Origin" in request.headers:
            return web.json_response({"message": "Forbidden"}, status=403)
        asked = operation(request.headers.get("X-Amz-Target", ""))
        try:
            if asked in CHANGES:
                body = await request.read()
                async with self._guard.changing(stream_name(body)):
                    return await self._pass_on(request, body)
            if asked in PUTS:
                async with self._guard.putting():
                    return await self._pass_on(request, request.content)
        except UndrainedError as error:
            return _refusal("ResourceInUseException", str(error))
        except HeldUpError as error:
            return _refusal("ProvisionedThroughputExceededException", str(error))
        return await self._pass_on(request, request.content if request.body_exists else None)

    async def _pass_on(
        self, request: web.BaseRequest, body: bytes | aiohttp.StreamReader | None
    ) -> web.StreamResponse:
        url = URL(f"{self._emulator}{request.raw_path}", encoded=True)
        async with self._client.request(
            request.method,
            url,
            headers=_end_to_end(request.headers),
            data=body,
            allow_redirects=False,
            skip_auto_headers=("User-Agent", "Content-Type", "Accept", "Accept-Encoding"),
        ) as answer:
            response = web.StreamResponse(status=answer.status, reason=answer.reason)
            response.headers.extend(_end_to_end(answer.headers))
            await response.prepare(request)
            async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
                await response.write(chunk)
            await response.write_eof()
            return response


def _refusal(code: str, message: str) -> web.Response:
    """Return an error as Kinesis spells it, so that every SDK knows it."""
    return web.json_response(
        {"__type": code, "message": message},
        status=400,
        content_type="application/x-amz-json-1.1",
    )


def _end_to_end(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """Drop the headers that speak of one connection only."""
    return CIMultiDict(
        (name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP
    )
