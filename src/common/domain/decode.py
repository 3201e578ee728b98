"""From what Lambda hands over of a stream to events, each with its place in the stream.

A record is NDJSON. Each line is judged alone, and by its bytes alone: a redelivery decides alike.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, Field, FiniteFloat, ValidationError

from common.domain.bad_lines import BadLine, BadLines, Position
from common.domain.windows import from_ms
from common.errors import FieldError, PoisonLineError
from common.models import EnrichedEvent, EventId, EventType, SessionSource, in_utc

__all__ = ["BadLine", "Position", "StreamBatch", "StreamLine", "decode_batch", "position_of"]

MAX_LINES = 50_000
"""Lines of a record that are read: more cannot all be events in what Lambda hands over at once.

Without it, millions of lines of a byte or two would take longer than an invocation may last.
"""
REJECTED_PREFIX = b'{"rejected":'
"""How a line begins that ingest rejected and keeps: no event does."""
_MAX_FIELD = 256
_RULE = re.compile(r"[A-Za-z][A-Za-z0-9_:]{0,63}")
_INT32_MAX = 2**31 - 1
_COMPACT = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


_Instant = Annotated[AwareDatetime, AfterValidator(in_utc)]
"""Instants outside the years 1970..9998 are poison: no key or partition can name them."""


class _StreamEvent(EnrichedEvent):
    """An :class:`EnrichedEvent` that every later stage can store.

    Ingest writes nothing else, but the stream takes records from anybody who may write to it.
    """

    event_id: EventId
    event_type: EventType
    timestamp: _Instant
    latency_ms: Annotated[FiniteFloat, Field(ge=0)] | None = None
    original_timestamp: _Instant | None = None
    sent_at: _Instant | None = None
    received_at: _Instant
    ingested_at: _Instant
    schema_version: int = Field(ge=0, le=_INT32_MAX)


@dataclass(frozen=True, slots=True)
class StreamLine:
    """A good line: its event and where it came from."""

    position: Position
    line: int
    """Position in the packed record, from 0; blank lines are counted."""
    event: EnrichedEvent
    properties: str | None
    """The event's properties as compact JSON text."""
    context: str | None
    computed_session: str | None = field(default=None, compare=False)
    """Session that the line is in, as it was known when the line was processed: a line that comes
    again is the same line, even if other events have changed its session since."""
    arrived_at: datetime | None = field(default=None, compare=False)
    """When the stream took the record; the same at each delivery."""
    raw: bytes = field(default=b"", compare=False, repr=False)
    """The line itself; let go of once its session is known, when nothing reads it any more."""

    @property
    def session_id(self) -> str | None:
        """Return the client's session, else the computed one."""
        return self.event.session_id or self.computed_session

    @property
    def session_source(self) -> SessionSource | None:
        """Say whose the session's id is."""
        if self.event.session_id:
            return "client"
        return "computed" if self.computed_session else None

    def in_session(self, session_id: str) -> StreamLine:
        """Return the line with its computed session."""
        return StreamLine(
            self.position, self.line, self.event, self.properties, self.context, session_id
        )


@dataclass(frozen=True, slots=True)
class StreamBatch:
    """The lines of one invocation, in stream order."""

    lines: tuple[StreamLine, ...]
    bad: tuple[BadLine, ...]


def decode_batch(records: Iterable[Mapping[str, Any]]) -> StreamBatch:
    """Decode the records of one invocation.

    Parameters
    ----------
    records
        The ``Records`` of a Kinesis event as Lambda hands them over, in stream order.

    Raises
    ------
    ValueError
        A record does not say where it stands in which stream: it did not come from Kinesis.
    """
    lines: list[StreamLine] = []
    bad: list[BadLine] = []
    for record in records:
        good, poison = _decode_record(record)
        lines += good
        bad += poison
    return StreamBatch(tuple(lines), tuple(bad))


def position_of(record: Mapping[str, Any]) -> Position:
    """Read where a record stands, from its ARN, event id and sequence number.

    Raises
    ------
    ValueError
        One of them is missing or of another form.
    """
    try:
        resource = str(record["eventSourceARN"]).split(":", 5)[5].split("/")
        shard, _, _ = str(record["eventID"]).rpartition(":")
        sequence = str(record["kinesis"]["sequenceNumber"])
        kind, stream = resource[0], resource[1]
    except (KeyError, IndexError, TypeError):
        kind = shard = stream = sequence = ""
    if kind != "stream" or not (stream and shard and sequence.isascii() and sequence.isdigit()):
        raise ValueError(
            "a record must carry eventSourceARN, eventID (shard:sequence) and "
            "kinesis.sequenceNumber (digits); is the trigger a Kinesis stream?"
        )
    return Position(stream, shard, sequence)


def _decode_record(record: Mapping[str, Any]) -> tuple[Sequence[StreamLine], Sequence[BadLine]]:
    position, arrived_at = position_of(record), _arrived_at(record)
    bad = BadLines(position, arrived_at)
    data = record["kinesis"].get("data")
    try:
        packed = _unpack(data)
    except PoisonLineError as error:
        raw = data.encode("utf-8", "replace") if isinstance(data, str) else b""
        bad.add(0, error, raw)
        return (), bad.found(raw)
    good: list[StreamLine] = []
    lines = ((number, line) for number, line in enumerate(packed.split(b"\n")) if line.strip())
    for nth, (number, line) in enumerate(lines):
        if nth >= MAX_LINES:
            bad.add(number, _UNREAD, line)
            continue
        try:
            event, properties, context = _decode_line(line)
        except PoisonLineError as error:
            bad.add(number, error, line)
        else:
            bad.end_run()
            good.append(
                StreamLine(position, number, event, properties, context, None, arrived_at, line)
            )
    return good, bad.found(packed)


def _arrived_at(record: Mapping[str, Any]) -> datetime | None:
    seconds = record["kinesis"].get("approximateArrivalTimestamp")
    try:
        return from_ms(round(seconds * 1000))
    except (TypeError, ValueError, OverflowError):
        return None


def _unpack(data: object) -> bytes:
    """Return the bytes of a record that holds at least one line."""
    if not isinstance(data, str):
        raise _poison("missing", "data", "the record carries no data")
    try:
        packed = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise _poison("base64_invalid", "data", "the record's data is not base64") from None
    if not packed.strip():
        raise _poison("empty", "data", "the record holds no line")
    return packed


def _decode_line(raw: bytes) -> tuple[EnrichedEvent, str | None, str | None]:
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise _poison("utf8_invalid", "", "the line is not UTF-8") from None
    if raw.startswith(REJECTED_PREFIX):
        raise _rejected(raw)
    try:
        event = _StreamEvent.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise _poison(first["type"], field, first["msg"]) from None
    return event, _json("properties", event.properties), _json("context", event.context)


def _rejected(raw: bytes) -> PoisonLineError:
    """Return what ingest found wrong with an event that it rejected; its words are believed."""
    try:
        why = json.loads(raw)["rejected"]
        rule, field, message = why["rule"], why["field"], why["message"]
    except (ValueError, LookupError, TypeError, RecursionError):
        rule = field = message = None
    known = isinstance(field, str) and isinstance(message, str)
    if not (known and isinstance(rule, str) and _RULE.fullmatch(rule)):
        return _poison("rejected_invalid", "rejected", "the rejection names no rule and field")
    return _poison(rule, field[:_MAX_FIELD], message)


def _json(field: str, value: dict[str, Any] | None) -> str | None:
    """Spell an object as JSON that any reader takes; Pydantic does not look into it."""
    if value is None:
        return None
    try:
        return _COMPACT.encode(value)
    except ValueError:
        raise _poison("finite_number", field, "a number in it has no JSON spelling") from None


def _poison(rule: str, field: str, message: str) -> PoisonLineError:
    return PoisonLineError(message, errors=[FieldError(field, rule, message)])


_UNREAD = _poison("too_many_lines", "", f"a record may hold at most {MAX_LINES} lines")
