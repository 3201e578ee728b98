"""Requests and worlds for the tests of ingest."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from common.domain.enrich import PLAIN, Enrichment, TimeLimits
from common.domain.stream_routes import StreamRoutes
from common.http import Request
from common.ports.stream import EventSink
from fakes.stream import Hourglass, MemorySink
from ingest.delivery import Waiting
from ingest.judging import Rules
from ingest.registry import Registry
from ingest.service import Deps

NOON = datetime(2026, 2, 20, 12, tzinfo=UTC)
LIMITS = TimeLimits(max_age_hours=168, max_future_minutes=5)


def a_request(document: object, path: str = "/events", **fields: Any) -> Request:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    given: dict[str, Any] = {"method": "POST", "received_at": NOON, "request_id": "r-1"} | fields
    return Request(path=path, body=body, **given)


class OpenDoor:
    """Lets everybody in, and names each by the key it gives."""

    def source(self, request: Request, scope: str, body_key: str | None = None) -> str:
        assert scope == "ingest"
        return body_key or "public"


def a_world(
    sink: EventSink | None = None,
    hourglass: Hourglass | None = None,
    *,
    access: Any = None,
    registry: Registry | None = None,
    enrichment: Enrichment = PLAIN,
    routes: str = "",
) -> Deps:
    time = hourglass or Hourglass()
    numbers = iter(range(2**32))
    return Deps(
        sink=sink or MemorySink(),
        access=access or OpenDoor(),
        rules=Rules(
            limits=LIMITS,
            error_types=frozenset({"error", "exception"}),
            buckets=8,
            registry=registry or Registry(),
            enrichment=enrichment,
            routes=StreamRoutes.parse(routes),
        ),
        now=lambda: NOON + timedelta(milliseconds=7, microseconds=999),
        entropy=lambda size: b"".join(next(numbers).to_bytes(10, "big") for _ in range(size // 10)),
        waiting=Waiting(time.clock, time.sleep, lambda: 0.5),
        note=lambda _reason: None,
    )


def a_gateway_event(body: str | bytes, path: str = "/events", **fields: Any) -> dict[str, Any]:
    """Return what the HTTP API hands to the function; bytes come in base64, as the API does."""
    given: dict[str, Any] = {
        "method": "POST",
        "headers": {},
        "at": NOON,
        "stage": "$default",
        "request_id": "r-1",
    } | fields
    encoded = isinstance(body, bytes)
    return {
        "version": "2.0",
        "routeKey": "POST /events",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"} | given["headers"],
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "api",
            "http": {
                "method": given["method"],
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.9",
                "userAgent": "test",
            },
            "requestId": given["request_id"],
            "stage": given["stage"],
            "timeEpoch": int(given["at"].timestamp() * 1000),
        },
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": encoded,
    }


class LambdaContext:
    """What Lambda tells a function about itself."""

    function_name = "ingest"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:eu-central-1:000000000000:function:ingest"
    aws_request_id = "a-1"

    def __init__(self, remaining_s: float = 10) -> None:
        self._remaining_s = remaining_s

    def get_remaining_time_in_millis(self) -> int:
        return int(self._remaining_s * 1000)
