"""Requests of every kind of client: half of them valid, the others spoiled or damaged."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fakes.bodies import damage, spoil, valid_event

Events = Sequence[dict[str, Any]]
"""What was meant: events in the names of our own."""


@dataclass(frozen=True)
class Sending:
    """One request, and the events that are in it if nothing spoiled it."""

    path: str
    headers: Mapping[str, str]
    body: bytes | str
    meant: Events
    """Empty when the request is spoiled: nobody knows what it means then."""


@dataclass(frozen=True)
class _Form:
    """How a kind of client says events: where to, under which headers, and as what document."""

    path: str
    document: Callable[[Events], Any]
    content_type: str = "application/json"
    many: bool = True
    native: bool = True
    lines: bool = False


def _native(event: dict[str, Any]) -> dict[str, Any]:
    return event


def _untyped(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "event_type"}


def _message(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "track",
        "event": event["event_type"],
        "messageId": event["event_id"],
        "userId": event.get("user_id"),
        "anonymousId": None,
        "timestamp": event.get("timestamp"),
        "properties": event.get("properties"),
        "context": event.get("context"),
    }


def _amplitude(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "event_type": event["event_type"],
        "insert_id": event["event_id"],
        "user_id": event.get("user_id"),
        "event_properties": event.get("properties"),
        "library": "amplitude-js/1.0",
    }


def _cloud(event: dict[str, Any]) -> dict[str, Any]:
    given = {
        "specversion": "1.0",
        "id": event["event_id"],
        "source": "s",
        "type": event["event_type"],
        "subject": event.get("user_id"),
        "data": event.get("properties"),
    }
    return {name: value for name, value in given.items() if value is not None}


def _record(event: dict[str, Any]) -> dict[str, Any]:
    return {"data": json.dumps(_untyped(event)), "partitionKey": "p"}


FORMS: tuple[_Form, ...] = (
    _Form("/events", lambda events: events[0], many=False),
    _Form("/events", list),
    _Form("/events", list, lines=True),
    _Form("/events/", list, "application/x-ndjson", lines=True),
    _Form("/events/batch", lambda events: {"events": events}),
    _Form("/events/page_view", lambda events: _untyped(events[0]), many=False),
    _Form("/events/batch/page_view", lambda events: [_untyped(event) for event in events]),
    _Form("/events/batch/page_view", lambda events: {"records": list(map(_record, events))}),
    _Form("/events", lambda events: _cloud(events[0]), "application/cloudevents+json", many=False),
    _Form(
        "/events",
        lambda events: list(map(_cloud, events)),
        "application/cloudevents-batch+json; charset=utf-8",
    ),
    _Form("/v1/track", lambda events: _message(events[0]), many=False, native=False),
    _Form("/v1/t", lambda events: _message(events[0]), "text/plain", many=False, native=False),
    _Form("/v1/batch", lambda events: {"batch": list(map(_message, events))}, native=False),
    _Form("/v1/b/", lambda events: {"batch": list(map(_message, events))}, native=False),
    _Form(
        "/beacon/v1/batch",
        lambda events: {"batch": list(map(_message, events)), "sentAt": "2026-02-20T12:00:00Z"},
        "text/plain",
        native=False,
    ),
    _Form("/api/s/track", lambda events: _message(events[0]), many=False, native=False),
    _Form("/2/httpapi", lambda events: {"events": list(map(_amplitude, events))}, native=False),
)
_SPOILED_PATHS = ("/events/1st", "/v1/unknown", "/", "/events/a/b", "/api/s/x")
_AGENTS = (
    "",
    "curl/8.5.0",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/1",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "(" * 3000,
)
_CONTEXTS = (
    {"ip": "203.0.113.77", "userAgent": _AGENTS[2], "page": {"url": "https://x.test/?utm_term=a"}},
    {"ip": 7, "userAgent": ["x"], "page": {"url": "http://[", "title": {}}, "locale": "de"},
)
_METHODS = ("POST",) * 40 + ("GET",)


class Requests:
    """Draws requests; no two events that are meant have the same id."""

    def __init__(self, seed: object) -> None:
        self._rng = random.Random(f"{seed}")
        self._prefix = f"{seed}"
        self._count = 0

    def next(self) -> Sending:
        """Return the next request."""
        form = self._rng.choice(FORMS)
        events = [self._event(form) for _ in range(self._rng.randrange(1, 6) if form.many else 1)]
        kind = self._rng.choice(("valid", "valid", "spoiled", "damaged"))
        document = form.document(events)
        if kind == "spoiled":
            document = spoil(self._rng, document)
        body = self._spelled(document, form)
        if kind == "damaged":
            body = damage(self._rng, body)
        path = form.path
        if kind != "valid" and self._rng.random() < 0.02:
            path = self._rng.choice(_SPOILED_PATHS)
        headers = {"content-type": form.content_type}
        return Sending(
            path, headers, self._on_the_wire(body, kind), events if kind == "valid" else ()
        )

    def method(self) -> str:
        return self._rng.choice(_METHODS)

    def _event(self, form: _Form) -> dict[str, Any]:
        event = valid_event(self._rng)
        self._count += 1
        event["event_id"] = f"{self._prefix}-{self._count}"
        if self._rng.random() < 0.2:
            event["context"] = self._rng.choice(_CONTEXTS)
        if form.path.endswith("page_view"):
            event["event_type"] = "page_view"
        return event

    def _spelled(self, document: Any, form: _Form) -> bytes:
        ascii_only = self._rng.random() < 0.5
        if form.lines and isinstance(document, list) and document:
            return b"\n".join(_json(each, ascii_only=ascii_only) for each in document)
        return _json(document, ascii_only=ascii_only)

    def _on_the_wire(self, body: bytes, kind: str) -> bytes | str:
        if self._rng.random() < 0.3:
            body = gzip.compress(body, 1, mtime=0)
            if kind == "damaged" and body and self._rng.random() < 0.5:
                body = damage_gzip(self._rng, body)
        if self._rng.random() < 0.3:
            try:
                return body.decode()
            except UnicodeDecodeError:
                pass
        return body


def damage_gzip(rng: random.Random, body: bytes) -> bytes:
    """Return compressed bytes that were cut, changed or lengthened."""
    at = rng.randrange(len(body))
    return rng.choice(
        [
            body[:at],
            body[:at] + rng.randbytes(1) + body[at + 1 :],
            body + rng.randbytes(3),
            body * 2,
        ]
    )


def _json(document: Any, *, ascii_only: bool) -> bytes:
    return json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
