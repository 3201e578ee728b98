"""From what Lambda hands over of a stream to events, each with its place in the stream.

A record is NDJSON. Each line is judged alone, and by its bytes alone: a redelivery decides alike.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from common.domain.bad_lines import BadLine, BadLines, Position
from common.domain.stream_events import EventReader, StreamEvent, poison, read_any
from common.domain.windows import from_ms
from common.errors import PoisonLineError
from common.models import SessionSource

__all__ = ["BadLine", "Position", "StreamBatch", "StreamLine", "decode_batch", "position_of"]

MAX_LINES = 50_000
"""Lines of a record that are read: more cannot all be events in what Lambda hands over at once.

Without it, millions of lines of a byte or two would take longer than an invocation may last.
"""
REJECTED_PREFIX = b'{"rejected":'
"""How a line begins that ingest rejected and keeps: no event does."""
_MAX_FIELD = 256
_RULE = re.compile(r"[A-Za-z][A-Za-z0-9_:]{0,63}")


class StreamLine(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A good line: its event and where it came from.

    Two lines are equal if they are the same line, whatever became known of it since.
    """

    position: Position
    line: int
    """Position in the packed record, from 0; blank lines are counted."""
    event: StreamEvent
    properties: str | None
    """The event's properties as compact JSON text."""
    context: str | None
    computed_session: str | None = None
    """Session that the line is in, as it was known when the line was processed: a line that comes
    again is the same line, even if other events have changed its session since."""
    arrived_at: datetime | None = None
    """When the stream took the record; the same at each delivery."""
    raw: bytes = b""
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

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StreamLine) and self._itself == other._itself

    def __hash__(self) -> int:
        return hash(self._itself)

    @property
    def _itself(self) -> tuple[object, ...]:
        return self.position, self.line, self.event, self.properties, self.context


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
    reader = EventReader()
    lines: list[StreamLine] = []
    bad: list[BadLine] = []
    for record in records:
        bad += _decode_record(record, reader, lines)
    return StreamBatch(tuple(lines), tuple(bad))


def position_of(record: Mapping[str, Any]) -> Position:
    """Read where a record stands, from its ARN, event id and sequence number.

    Raises
    ------
    ValueError
        One of them is missing or of another form.
    """
    try:
        stream = _stream_of(str(record["eventSourceARN"]))
        shard, _, _ = str(record["eventID"]).rpartition(":")
        sequence = str(record["kinesis"]["sequenceNumber"])
    except (KeyError, TypeError):
        shard = stream = sequence = ""
    if not (stream and shard and sequence.isascii() and sequence.isdigit()):
        raise ValueError(
            "a record must carry eventSourceARN, eventID (shard:sequence) and "
            "kinesis.sequenceNumber (digits); is the trigger a Kinesis stream?"
        )
    return Position(stream, shard, sequence)


@lru_cache(maxsize=16)
def _stream_of(arn: str) -> str:
    """Return a stream's name; empty when the ARN is none of a stream."""
    kind, _, name = arn.split(":", 5)[-1].partition("/")
    return name.partition("/")[0] if kind == "stream" and arn.count(":") >= 5 else ""


def _decode_record(
    record: Mapping[str, Any], reader: EventReader, good: list[StreamLine]
) -> Sequence[BadLine]:
    """Append a record's good lines, and return its bad ones."""
    position, arrived_at = position_of(record), _arrived_at(record)
    data = record["kinesis"].get("data")
    bad = BadLines(position, arrived_at)
    try:
        packed = _unpack(data)
    except PoisonLineError as error:
        raw = data.encode("utf-8", "replace") if isinstance(data, str) else b""
        bad.add(0, error, raw)
        return bad.found(raw)
    read = 0
    for number, line in enumerate(packed.split(b"\n")):
        if not line.strip():
            continue
        read += 1
        if read > MAX_LINES:
            bad.add(number, _UNREAD, line)
            continue
        try:
            event = _decode_line(line, reader)
        except PoisonLineError as error:
            bad.add(number, error, line)
            continue
        bad.end_run()
        texts = event.properties, event.context
        good.append(StreamLine(position, number, event, *texts, None, arrived_at, line))
    return bad.found(packed)


def _arrived_at(record: Mapping[str, Any]) -> datetime | None:
    seconds = record["kinesis"].get("approximateArrivalTimestamp")
    try:
        return from_ms(round(seconds * 1000))
    except (TypeError, ValueError, OverflowError):
        return None


def _unpack(data: object) -> bytes:
    """Return the bytes of a record that holds at least one line."""
    if not isinstance(data, str):
        raise poison("missing", "data", "the record carries no data")
    try:
        packed = binascii.a2b_base64(data, strict_mode=True)
    except (binascii.Error, ValueError):
        raise poison("base64_invalid", "data", "the record's data is not base64") from None
    if not packed.strip():
        raise poison("empty", "data", "the record holds no line")
    return packed


def _decode_line(line: bytes, reader: EventReader) -> StreamEvent:
    event = reader.read_plain(line)
    if event is not None:
        return event
    try:
        line.decode()
    except UnicodeDecodeError:
        raise poison("utf8_invalid", "", "the line is not UTF-8") from None
    if line.startswith(REJECTED_PREFIX):
        raise _rejected(line)
    return read_any(line)


def _rejected(raw: bytes) -> PoisonLineError:
    """Return what ingest found wrong with an event that it rejected; its words are believed."""
    try:
        why = json.loads(raw)["rejected"]
        rule, field, message = why["rule"], why["field"], why["message"]
    except (ValueError, LookupError, TypeError, RecursionError):
        rule = field = message = None
    known = isinstance(field, str) and isinstance(message, str)
    if not (known and isinstance(rule, str) and _RULE.fullmatch(rule)):
        return poison("rejected_invalid", "rejected", "the rejection names no rule and field")
    return poison(rule, field[:_MAX_FIELD], message)


_UNREAD = poison("too_many_lines", "", f"a record may hold at most {MAX_LINES} lines")
