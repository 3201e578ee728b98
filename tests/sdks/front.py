"""A front of the pipeline that misbehaves as the networks between it and a client may.

It stands between one client and the gateway. Requests that send events meet its faults, one
after the other, in the order they come; when no fault is left it passes everything on.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

from sdks.servers import Servers, hang_up, pass_on

Kind = Literal["refuse", "cut", "forget", "swallow", "double"]

SUCCESS = {"success": True, "status": 1, "code": 200, "accepted": 1, "rejected": []}


@dataclass(frozen=True)
class Fault:
    """What becomes of one request.

    Attributes
    ----------
    kind
        ``refuse``: a status and Retry-After, and nothing is passed on. ``cut``: the connection
        breaks before anything is passed on. ``forget``: passed on, but the connection breaks
        before the answer. Two that no client can notice, for the controls: ``swallow``: success,
        and nothing is passed on; ``double``: passed on twice, the second time with other ids.
    """

    kind: Kind
    status: int = 503
    retry_after_s: int = 1


@dataclass(frozen=True)
class Seen:
    """A request that came, and when on a clock that never goes back."""

    at: float
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    fault: Kind | None
    status: int | None
    """What the client was answered; ``None`` when it was not."""


class Front:
    """One such front; ``url`` is where its client sends.

    Parameters
    ----------
    hides
        Headers, in lower case, that it takes out of every answer.
    """

    def __init__(
        self,
        servers: Servers,
        upstream: str,
        faults: Iterable[Fault] = (),
        hides: Iterable[str] = (),
    ) -> None:
        self._servers = servers
        self._upstream = upstream
        self._hides = frozenset(hides)
        self._faults = deque(faults)
        self.seen: list[Seen] = []
        self.url = servers.serve(self._handle)

    @property
    def faults_left(self) -> int:
        return len(self._faults)

    def posts(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.method == "POST"]

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        at, body = time.monotonic(), await request.read()
        fault = self._faults.popleft() if request.method == "POST" and self._faults else None
        if fault is None:
            answer = await self._pass_on(request, body)
        else:
            answer = await self._misbehave(fault, request, body)
        for name in self._hides if answer else ():
            answer.headers.popall(name, None)
        self.seen.append(
            Seen(
                at,
                request.method,
                request.path,
                {name.lower(): value for name, value in request.headers.items()},
                body,
                fault.kind if fault else None,
                answer.status if answer else None,
            )
        )
        return answer or hang_up(request)

    async def _misbehave(
        self, fault: Fault, request: web.BaseRequest, body: bytes
    ) -> web.Response | None:
        if fault.kind == "refuse":
            return await self._refusal(fault, request)
        if fault.kind == "swallow":
            return web.json_response(SUCCESS)
        if fault.kind == "cut":
            return None
        answer = await self._pass_on(request, body)
        if fault.kind == "forget":
            return None
        again = body.replace(b'"messageId": "', b'"messageId": "again-')
        assert again != body, "only plain bodies with message ids can be doubled"
        await self._pass_on(request, again)
        return answer

    async def _pass_on(self, request: web.BaseRequest, body: bytes) -> web.Response:
        return await pass_on(self._servers.client, self._upstream, request, body)

    async def _refusal(self, fault: Fault, request: web.BaseRequest) -> web.Response:
        """Refuse as the API does: with the CORS headers that its own answers have."""
        origin = request.headers.get("Origin")
        async with self._servers.client.get(
            f"{self._upstream}/health", headers={"Origin": origin} if origin else {}
        ) as reply:
            headers = {
                name: value
                for name, value in reply.headers.items()
                if name.lower().startswith("access-control-") or name.lower() == "vary"
            }
        headers["Retry-After"] = str(fault.retry_after_s)
        text = json.dumps({"code": "throttled", "message": "come back later"})
        return web.Response(
            status=fault.status, text=text, headers=headers, content_type="application/json"
        )
