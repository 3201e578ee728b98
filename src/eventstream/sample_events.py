"""The sample events: what each function is handed by AWS, for every trigger and case.

``sam local invoke IngestFunction --event events/http-post-event.json`` uses them, and so do the
tests. They are written by ``eventstream events write``, never by hand: their payloads are base64.
Times and ids are fixed; an event's time is judged against the request's own, so they don't age.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from common.domain.enrich import Arrival, Enricher, EventTime
from common.domain.partitions import bucket_of
from common.domain.windows import to_ms
from common.models import IngestEvent

Json = dict[str, Any]

NOW = datetime(2026, 2, 20, 14, 30, tzinfo=UTC)
"""When every sample request was received."""

_ACCOUNT, _REGION = "123456789012", "eu-central-1"
_STREAM = "eventstream-EventStream-A1B2C3D4E5F6"
_FIRST_SEQUENCE = 49_654_321_098_765_432_109_876_543_210_987_654_321_098_765_432_109_876_546
_BUCKETS = 64

PURCHASE: Json = {
    "event_type": "purchase",
    "event_id": "0f8e9a52-6c1d-4f6f-9d0a-5f6f6a1c2b3d",
    "user_id": "user-42",
    "session_id": "session-7",
    "timestamp": "2026-02-20T14:29:58.123Z",
    "latency_ms": 142.5,
    "properties": {"order_id": "O-1001", "total": 59.9, "currency": "EUR"},
    "context": {"page": {"url": "https://shop.example.com/checkout?utm_source=newsletter"}},
}
PAGE_VIEW: Json = {
    "event_type": "page_view",
    "event_id": "3b1f0c4e-2a77-4a39-8a51-0c7de0a9f111",
    "anonymous_id": "visitor-9",
    "timestamp": "2026-02-20T14:29:59.000Z",
    "latency_ms": 87.0,
    "context": {"page": {"path": "/", "title": "Home"}},
}
ERROR: Json = {
    "event_type": "error",
    "event_id": "9c0d2a90-77f0-4f0f-8a55-2d8a9e7b4c22",
    "user_id": "user-42",
    "timestamp": "2026-02-20T13:58:00Z",
    "properties": {"code": "payment_declined"},
}
BAD_EVENT: Json = {"event_type": "purchase", "user_id": "", "latency_ms": -1, "colour": "red"}
"""Breaks three rules: an empty user_id, a negative latency_ms, an unknown field."""


def samples_by_function() -> Mapping[str, Mapping[str, Json]]:
    """Return every sample by the function it is for, and file name without ``.json``."""
    return {
        "IngestFunction": _http_posts(),
        "ProcessFunction": _kinesis(),
        "AggregateFunction": _aggregate(),
        "QueryFunction": _queries(),
    }


def sample_events() -> Mapping[str, Json]:
    """Return every sample by file name, without ``.json``."""
    return {name: each for part in samples_by_function().values() for name, each in part.items()}


def function_of(event: object) -> str | None:
    """Return the function whose sample an event is; ``None`` for an event that is no sample."""
    found = (name for name, part in samples_by_function().items() if event in part.values())
    return next(found, None)


def _http_posts() -> dict[str, Json]:
    batch = [PURCHASE, PAGE_VIEW, ERROR]
    order = {"order_id": "O-1002", "items": [{"sku": "MUG-RED", "quantity": 2}]}
    packed = base64.b64encode(_text(PURCHASE).encode()).decode()
    return {
        "http-post-event": http_event("POST", "/events", body=_text(PURCHASE)),
        "http-post-event-base64": {
            **http_event("POST", "/events", body=packed),
            "isBase64Encoded": True,
        },
        "http-post-invalid": http_event("POST", "/events", body=_text(BAD_EVENT)),
        "http-post-not-json": http_event("POST", "/events", body='{"event_type": '),
        "http-post-batch": http_event("POST", "/events/batch", body=_text({"events": batch})),
        "http-post-batch-mixed": http_event(
            "POST", "/events/batch", body=_text([PURCHASE, BAD_EVENT, PAGE_VIEW])
        ),
        "http-post-typed": http_event(
            "POST", "/events/order_placed", body=_text({"user_id": "user-42", **order})
        ),
    }


def _kinesis() -> dict[str, Json]:
    good, other, error = (_line(event) for event in (PURCHASE, PAGE_VIEW, ERROR))
    cut = good[: len(good) // 2]
    return {
        "kinesis-batch": kinesis_event([b"\n".join((good, error)), other]),
        "kinesis-poison": kinesis_event([b"\n".join((good, cut, error)), b"\xff\xfe\x00", other]),
    }


def _aggregate() -> dict[str, Json]:
    window = {"window_start": "2026-02-20T13:00:00.000Z", "window_end": "2026-02-20T14:00:00.000Z"}
    return {
        "aggregate-determine": {"action": "determine", "scheduled_time": "2026-02-20T14:10:00Z"},
        "aggregate-determine-range": {
            "action": "determine",
            "window_start": "2026-02-18T00:00:00.000Z",
            "window_end": "2026-02-20T14:00:00.000Z",
        },
        "aggregate-window": {"action": "aggregate", **window},
        "aggregate-direct": window,
        "aggregate-notify": {"action": "notify"},
    }


def _queries() -> dict[str, Json]:
    day = {"from": "2026-02-20T00:00:00Z", "to": "2026-02-20T14:30:00Z"}
    counts = {"event_type": "purchase", "metric": "count", "granularity": "1h", **day}
    return {
        "query-metrics": http_event("GET", "/metrics", query=counts),
        "query-metrics-live": http_event(
            "GET", "/metrics", query={"metric": "errors", "granularity": "5m", **day}
        ),
        "query-metrics-invalid": http_event("GET", "/metrics", query={"metric": "mood"}),
        "query-event-types": http_event("GET", "/event-types"),
        "query-anomalies": http_event("GET", "/anomalies", query=day),
        "query-runs": http_event("GET", "/runs"),
        "query-health": http_event("GET", "/health"),
    }


def http_event(
    method: str, path: str, *, body: str | None = None, query: Mapping[str, str] | None = None
) -> Json:
    """Return a request as an HTTP API hands it over, payload format 2.0.

    Parameters
    ----------
    method, path
        The request line.
    body
        The body as text.
    query
        Query parameters.
    """
    event: Json = {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": urlencode(query or {}),
        "headers": {
            "accept": "*/*",
            "content-type": "application/json",
            "host": f"a1b2c3d4e5.execute-api.{_REGION}.amazonaws.com",
            "user-agent": "curl/8.5.0",
        },
        "requestContext": {
            "accountId": _ACCOUNT,
            "apiId": "a1b2c3d4e5",
            "domainName": f"a1b2c3d4e5.execute-api.{_REGION}.amazonaws.com",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.10",
                "userAgent": "curl/8.5.0",
            },
            "requestId": "ZxY1abCdEfGhIjk=",
            "routeKey": f"{method} {path}",
            "stage": "$default",
            "time": NOW.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": to_ms(NOW),
        },
        "isBase64Encoded": False,
    }
    if query:
        event["queryStringParameters"] = dict(query)
    if body is not None:
        event["body"] = body
    return event


def kinesis_event(records: Sequence[bytes], *, shard: str = "shardId-000000000000") -> Json:
    """Return records as the event source mapping hands them over."""
    return {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": str(bucket_of(f"record-{number}", _BUCKETS)),
                    "sequenceNumber": str(_FIRST_SEQUENCE + number),
                    "data": base64.b64encode(data).decode(),
                    "approximateArrivalTimestamp": NOW.timestamp() + number / 1000,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"{shard}:{_FIRST_SEQUENCE + number}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": f"arn:aws:iam::{_ACCOUNT}:role/eventstream-ProcessRole",
                "awsRegion": _REGION,
                "eventSourceARN": f"arn:aws:kinesis:{_REGION}:{_ACCOUNT}:stream/{_STREAM}",
            }
            for number, data in enumerate(records)
        ]
    }


def _line(event: Json) -> bytes:
    """Return a client's event as ingest puts it on the stream."""
    checked = IngestEvent.model_validate_json(_text(event))
    at = checked.timestamp or NOW
    arrival = Arrival(NOW, NOW + timedelta(milliseconds=4), "public", frozenset({"error"}))
    time = EventTime(at, checked.timestamp, "client")
    enriched = Enricher(arrival).event(checked, str(checked.event_id), time)
    return enriched.model_dump_json(exclude_none=True).encode()


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
