"""From a request's body to its events, one by one, and no further."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import islice
from typing import Any

from common.domain.strict_json import Refused, decode, shown
from common.errors import FieldError, InvalidRequestError, TooLargeError
from common.http import Request
from ingest.plain_events import items_of, read_plain
from ingest.routes import Target
from ingest.submission import Sent, Submission

MAX_EVENTS = 5_000
"""Events in one request."""

_JSON_LINES = frozenset(
    {
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonl",
        "application/jsonlines",
        "application/x-jsonlines",
        "application/json-lines",
    }
)
_CLOUD_EVENTS = {
    "application/cloudevents+json": "structured",
    "application/cloudevents-batch+json": "batched",
}


def read(data: bytes, target: Target, request: Request) -> Submission:
    """Take a body apart into events.

    Parameters
    ----------
    data
        The body without its compression.
    target
        What the path asks for.
    request
        The request, for what stands in its headers and its query.

    Raises
    ------
    TooLargeError
        There are more events than a request may hold; it is said before they are read.
    InvalidRequestError
        It is not JSON of a shape that the path takes, or holds no event.
    """
    if target.surface == "native":
        submission = _native(data, target, request)
    else:
        submission = _from_library(data, target, request)
    if not submission.events:
        raise _error(InvalidRequestError, "empty", "the batch is empty; send at least one event")
    return submission


def _from_library(data: bytes, target: Target, request: Request) -> Submission:
    # Imported when first needed: most functions in the field serve one kind of client.
    if target.surface == "segment":
        from ingest.surfaces import segment

        return segment.read(_bounded(_document(data)), target, request)
    from ingest.surfaces import amplitude

    return amplitude.read(_bounded(_document(data)), target, request)


def _native(data: bytes, target: Target, request: Request) -> Submission:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if target.event_type is None and (kind := _cloud_event(content_type, request)):
        return _from_cloud(data, kind, request)
    if content_type in _JSON_LINES:
        return _lines(data, target)
    if (array := _array(data, target)) is not None:
        return array
    try:
        document = _document(data)
    except InvalidRequestError:
        if _looks_like_lines(data):
            return _lines(data, target)
        raise
    if isinstance(document, dict):
        if not target.batch:
            return Submission((Sent(document),), single=True)
        document = _unwrap(document, target)
    if not isinstance(document, list):
        raise _error(InvalidRequestError, "wrong_type", f"the body must be {_shape(target)}")
    return _many(document)


def _document(data: bytes) -> object:
    document = decode(data)
    if isinstance(document, Refused):
        refusal = document.as_error()
        raise InvalidRequestError(refusal.message, errors=[refusal])
    return document


def _bounded(document: object) -> object:
    """Refuse a document that has too many events in it, wherever its events are."""
    members = document.values() if isinstance(document, dict) else (document,)
    if any(isinstance(each, list) and len(each) > MAX_EVENTS for each in members):
        raise _too_many()
    return document


def _array(data: bytes, target: Target) -> Submission | None:
    """Read an array item by item; ``None`` when the whole body is to be read, or to be refused."""
    # Where the path names the type, fields that are not an event's are none to refuse.
    items = items_of(data) if target.event_type is None else None
    if items is None:
        return None
    if len(items) > MAX_EVENTS:
        raise _too_many()
    try:
        return Submission([Sent(read_plain(text) or decode(text)) for text in map(bytes, items)])
    except InvalidRequestError:
        return None


def _many(events: list[Any]) -> Submission:
    if len(events) > MAX_EVENTS:
        raise _too_many()
    return Submission([Sent(event) for event in events])


def _cloud_event(content_type: str, request: Request) -> str | None:
    if content_type in _CLOUD_EVENTS:
        return _CLOUD_EVENTS[content_type]
    return "binary" if "ce-specversion" in request.headers else None


def _from_cloud(data: bytes, kind: str, request: Request) -> Submission:
    from ingest.surfaces import cloudevents

    return cloudevents.read(data if kind == "binary" else _bounded(_document(data)), kind, request)


def _looks_like_lines(data: bytes) -> bool:
    """Tell whether a body that is no JSON is several objects, each on a line of its own.

    In no JSON text do the first two lines both begin with a brace, but for an object after a
    name; such a text that is damaged has its lines refused one by one.
    """
    first = list(islice(_not_blank(data), 2))
    return len(first) == 2 and all(line.lstrip().startswith(b"{") for line in first)


def _lines(data: bytes, target: Target) -> Submission:
    lines = list(islice(_not_blank(data), MAX_EVENTS + 1))
    if len(lines) > MAX_EVENTS:
        raise _too_many()
    plain = read_plain if target.event_type is None else lambda _text: None
    texts = (line.strip() for line in lines)
    return Submission([Sent(plain(text) or _decoded(text, "line")) for text in texts])


def _not_blank(data: bytes) -> Iterator[bytes]:
    return (line for line in io.BytesIO(data) if not line.isspace())


def _unwrap(envelope: dict[str, object], target: Target) -> object:
    name = "records" if target.event_type and "records" in envelope else "events"
    if set(envelope) != {name}:
        raise _error(InvalidRequestError, "wrong_shape", f"the body must be {_shape(target)}")
    members = envelope[name]
    if not isinstance(members, list):
        message = f"{name} must be an array"
        raise InvalidRequestError(message, errors=[FieldError(name, "wrong_type", message)])
    if len(members) > MAX_EVENTS:
        raise _too_many()
    return [_event_in(record) for record in members] if name == "records" else members


def _event_in(record: object) -> object:
    """Take the event out of one of ``records``; its partition key does not choose the shard."""
    if not isinstance(record, dict):
        return FieldError("record", "wrong_type", "a record must be a JSON object")
    for name in record:
        if name not in ("data", "partitionKey"):
            message = f"{shown(name)} is not a field of a record; it has data and partitionKey"
            return FieldError(shown(name), "unknown_field", message)
    data, partition_key = record.get("data"), record.get("partitionKey")
    if not isinstance(data, str):
        return FieldError("data", "wrong_type", "data must be one event as JSON text")
    if not isinstance(partition_key, str | None):
        return FieldError("partitionKey", "wrong_type", "partitionKey must be text")
    return _decoded(data.encode("utf-8", "surrogatepass"), "data")


def _decoded(data: bytes, name: str) -> object:
    """Decode one event; what keeps it from being decoded stands in its place."""
    try:
        return decode(data, name)
    except InvalidRequestError as error:
        return error.errors[0]


def _shape(target: Target) -> str:
    if not target.batch:
        return "an event as a JSON object, a JSON array of events, or one event a line"
    records = ', or {"records": [{"data": "<event as JSON text>"}]}' if target.event_type else ""
    return f'a JSON array of events, or {{"events": [...]}}{records}'


def _too_many() -> InvalidRequestError:
    message = f"a request may hold at most {MAX_EVENTS} events; send the rest in another"
    return _error(TooLargeError, "too_many_events", message)


def _error(kind: type[InvalidRequestError], rule: str, message: str) -> InvalidRequestError:
    return kind(message, errors=[FieldError("body", rule, message)])
