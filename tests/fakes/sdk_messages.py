"""Requests as client libraries make them, written by hand after what the real ones sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common.http import Request
from common.models import IngestEvent
from fakes.ingest_builders import NOON
from ingest.routes import Target
from ingest.submission import Submission
from ingest.surfaces import segment
from ingest.validation import validate

AT = "2026-02-20T11:59:58.250Z"
SENT_AT = "2026-02-20T11:59:59.000Z"
BATCH = Target("segment", batch=True)


def bare_request(path: str = "/v1/batch", **headers: str) -> Request:
    return Request("POST", path, b"", NOON, "r-1", headers=headers)


def read_batch(*messages: Any, headers: dict[str, str] | None = None, **members: Any) -> Submission:
    document = {"batch": list(messages), **members}
    return segment.read(document, BATCH, bare_request(**(headers or {})))


def events_of(submission: Submission) -> list[IngestEvent]:
    """Return the events, all of which must be valid."""
    events = []
    for sent in submission.events:
        event = validate(sent.event)
        assert isinstance(event, IngestEvent), event
        events.append(event)
    return events


def error_of(submission: Submission) -> tuple[str, str]:
    """Return field and rule of the one error of the only event."""
    [sent] = submission.events
    found = validate(sent.event)
    assert isinstance(found, Sequence), found
    [error] = found
    assert error.field in error.message
    return error.field, error.rule


def a_message(type_: str = "track", **fields: Any) -> dict[str, Any]:
    """Return a message as Segment's Python library makes it, explicit nulls and all."""
    own: dict[str, Any] = {"event": "Order Completed"} if type_ == "track" else {}
    return {
        "integrations": {},
        "anonymousId": None,
        "timestamp": AT,
        "context": {"library": {"name": "analytics-python", "version": "2.4.0"}},
        "type": type_,
        "userId": "u-1",
        "messageId": "5f0c7d3e-0c55-4c0e-9f0c-6c1c34a1d001",
        **own,
        **fields,
    }


def a_browser_message(**fields: Any) -> dict[str, Any]:
    """Return a message as a library in a browser makes it."""
    return {
        "timestamp": AT,
        "sentAt": SENT_AT,
        "type": "track",
        "event": "Clicked",
        "anonymousId": "a-1",
        "messageId": "ajs-next-1771588798250-0b54",
        "context": {"library": {"name": "analytics.js", "version": "next-1.84.1"}},
        "properties": {"button": "buy"},
        "_metadata": {"bundled": ["Segment.io"], "unbundled": []},
        **fields,
    }


def an_amplitude_event(**fields: Any) -> dict[str, Any]:
    return {
        "event_type": "button clicked",
        "insert_id": "i-1",
        "user_id": "u-1",
        "device_id": "d-1",
        "time": 1_771_588_798_250,
        "session_id": 1_771_588_000_000,
        "event_properties": {"button": "buy"},
        **fields,
    }


def a_cloud_event(**attributes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "42",
        "source": "/shop",
        "type": "com.example.order.placed",
        **attributes,
    }
