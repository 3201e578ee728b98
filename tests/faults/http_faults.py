"""Faults below botocore, so that its own retries take part: moto answers, or does not.

What moto does is done for good; the fault is in what the client gets to know of it.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import botocore_stubber

from faults.limits import check_request
from faults.world import Crash

KINDS = (
    "crashed before",
    "crashed after",
    "refused",
    "answer lost",
    "500, not applied",
    "500, applied",
    "throttled",
)


class HttpFaults:
    """Stands between the clients and moto; off until a random source is given."""

    def __init__(self) -> None:
        self.rng: Random | None = None
        self.rate = 0.0
        self.kinds: tuple[str, ...] = KINDS
        self.counts: Counter[str] = Counter()
        self.applied: list[tuple[str, str, bool]] = []
        """Operation, path or body, and whether it succeeded, of each request that arrived."""
        self._outage = 0

    def install(self, client: Any) -> None:
        """Take moto's place in a client; moto is then called from here alone."""
        client.meta.events.unregister("before-send", botocore_stubber)
        client.meta.events.register("before-send", self._send)

    def _send(self, event_name: str, request: Any, **_: Any) -> AWSResponse:
        kind = self._draw()
        self.counts[kind] += 1
        if kind == "crashed before":
            raise Crash
        if kind == "refused":
            raise ConnectTimeoutError(endpoint_url=request.url)
        if kind in ("500, not applied", "throttled"):
            return _error(request.url, kind)
        response = self._apply(event_name, request)
        if kind == "crashed after":
            raise Crash
        if kind == "answer lost":
            raise ReadTimeoutError(endpoint_url=request.url)
        return _error(request.url, kind) if kind == "500, applied" else response

    def _apply(self, event_name: str, request: Any) -> AWSResponse:
        check_request(request)
        response = botocore_stubber(event_name, request)
        assert response is not None
        operation = event_name.rpartition(".")[2]
        what = request.url if operation == "PutObject" else (request.body or b"").decode()
        self.applied.append((operation, what, response.status_code == 200))
        return response

    def _draw(self) -> str:
        if self.rng is None:
            return "none"
        if self._outage:
            self._outage -= 1
            return self.rng.choice(("refused", "answer lost", "500, applied", "throttled"))
        if self.rng.random() < self.rate / 2:
            # Longer than botocore's patience, so that the function has to give the batch back.
            self._outage = 3
        chance = len(self.kinds) * self.rate
        return self.rng.choice(self.kinds) if self.rng.random() < chance else "none"


def _error(url: str, kind: str) -> AWSResponse:
    if kind == "throttled":
        body = b'{"__type":"ProvisionedThroughputExceededException","message":"slow down"}'
        return AWSResponse(url, 400, {}, MockRawResponse(body))  # type: ignore[arg-type]
    return AWSResponse(url, 500, {}, MockRawResponse(b""))  # type: ignore[arg-type]
