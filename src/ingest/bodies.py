"""From a request's body to its events, one by one, and no further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from common.domain.strict_json import Refused, decode, shown
from common.errors import FieldError, InvalidRequestError, TooLargeError
from ingest.routes import Target

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Body as it came over the wire: base64 or escapes must still fit into Lambda's 6 MB."""
MAX_EVENTS = 5_000
"""Events in one request."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What one request submits."""

    events: Sequence[object]
    """Each event as decoded, or the :class:`FieldError` that kept it from being decoded."""
    single: bool
    """One event on its own, which is answered on its own."""


def read(body: bytes, target: Target) -> Submission:
    """Take a body apart into events.

    Raises
    ------
    TooLargeError
        The body or the number of events is over its limit.
    InvalidRequestError
        It is not JSON of a shape that the path takes, or holds no event.
    """
    if len(body) > MAX_BODY_BYTES:
        raise _error(
            TooLargeError,
            "body_too_large",
            f"the body is over the limit of {MAX_BODY_BYTES} bytes (4 MB); send less at a time",
        )
    document = decode(body)
    if isinstance(document, Refused):
        refusal = document.as_error()
        raise InvalidRequestError(refusal.message, errors=[refusal])
    if isinstance(document, dict):
        if not target.batch:
            return Submission([document], single=True)
        document = _unwrap(document, target)
    if not isinstance(document, list):
        raise _error(InvalidRequestError, "wrong_type", f"the body must be {_shape(target)}")
    return Submission(_bounded(document), single=False)


def _bounded(events: list[object]) -> list[object]:
    if not events:
        raise _error(InvalidRequestError, "empty", "the batch is empty; send at least one event")
    if len(events) > MAX_EVENTS:
        raise _error(
            TooLargeError,
            "too_many_events",
            f"a request may hold at most {MAX_EVENTS} events; send the rest in another",
        )
    return events


def _unwrap(envelope: dict[str, object], target: Target) -> object:
    name = "records" if target.event_type and "records" in envelope else "events"
    if set(envelope) != {name}:
        raise _error(InvalidRequestError, "wrong_shape", f"the body must be {_shape(target)}")
    members = envelope[name]
    if not isinstance(members, list):
        message = f"{name} must be an array"
        raise InvalidRequestError(message, errors=[FieldError(name, "wrong_type", message)])
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
    try:
        return decode(data.encode("utf-8", "surrogatepass"), "data")
    except InvalidRequestError as error:
        return error.errors[0]


def _shape(target: Target) -> str:
    if not target.batch:
        return "an event as a JSON object, or a JSON array of events"
    records = ', or {"records": [{"data": "<event as JSON text>"}]}' if target.event_type else ""
    return f'a JSON array of events, or {{"events": [...]}}{records}'


def _error(kind: type[InvalidRequestError], rule: str, message: str) -> InvalidRequestError:
    return kind(message, errors=[FieldError("body", rule, message)])
