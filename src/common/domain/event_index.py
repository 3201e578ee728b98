"""What the event index holds of an event, and which line of the stream it belongs to.

An event is named by its source and its id. The first line that carries the name owns it, for as
long as any line can come again; a line of the same name at another place in the stream is an event
that was sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, Self

from common.domain.bad_lines import Position
from common.domain.decode import StreamLine
from common.domain.keys import lake_key
from common.domain.packing import packed
from common.domain.windows import hour_of, to_ms

State = Literal["stored", "quarantined"]

_DAY_MS = 86_400_000
MARGIN_MS = 8 * _DAY_MS
"""How much longer than the window an entry is kept: a line that was left out for its sake can come
again for as long as the stream keeps it, and must be left out again."""

_MAX_ID = 128
_MAX_SOURCE_BYTES = 1024
"""DynamoDB takes no longer sort key, and no empty one."""


@dataclass(frozen=True, slots=True)
class IndexRules:
    """For how long an event that is sent again is known again."""

    window_ms: int
    """Between the arrival of the owner and of the line that is left out for its sake."""

    @classmethod
    def of(cls, days: int) -> Self:
        """Make the rules of a deployment's parameter."""
        return cls(days * _DAY_MS)

    @property
    def keep_ms(self) -> int:
        """How long an entry is kept after its line arrived."""
        return self.window_ms + MARGIN_MS


class EventKey(NamedTuple):
    """The name of an event: ids are unique to who sends them."""

    source: str
    event_id: str


class Stamp(NamedTuple):
    """What of an entry makes it another one: whose it is, and what became of that line."""

    state: State
    at: str


class Copy(NamedTuple):
    """A replayed line of an event that another line owns."""

    at: str
    object_key: str


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """What is stored under the name of an event."""

    key: EventKey
    state: State
    at: str
    """:func:`address` of the line that owns the event."""
    arrived_ms: int
    received_ms: int | None
    object_key: str
    """Object of the lake or of the quarantine that the line was written to last."""
    packed: bytes | None
    """The line, as :mod:`common.domain.packing` spells it; ``None`` when it is too large."""
    event_type: str | None = None
    timestamp_ms: int | None = None
    reason: str | None = None
    """Why the line lies in quarantine."""
    field: str | None = None
    again: Copy | None = None

    @property
    def stamp(self) -> Stamp:
        """Tell this entry from another owner's."""
        return Stamp(self.state, self.at)


def address(position: Position, line: int) -> str:
    """Name a line of the stream.

    >>> address(Position("events", "shardId-000000000000", "42"), 3)
    'events/shardId-000000000000/42/3'
    """
    return f"{position.stream}/{position.shard}/{position.sequence}/{line}"


def place_of(at: str) -> tuple[Position, int]:
    """Read an :func:`address`."""
    stream, shard, sequence, line = at.split("/")
    return Position(stream, shard, sequence), int(line)


def event_key(source: object, event_id: object) -> EventKey | None:
    """Return the name of an event; ``None`` when no entry can be stored under it."""
    if not (isinstance(source, str) and isinstance(event_id, str)):
        return None
    # What is printable has no lone surrogates, which are no text that could be stored.
    if not (1 <= len(event_id) <= _MAX_ID and event_id.isprintable()):
        return None
    if not (source.isprintable() and 1 <= len(source.encode()) <= _MAX_SOURCE_BYTES):
        return None
    return EventKey(source, event_id)


def key_of(line: StreamLine) -> EventKey | None:
    """Return the name of a line's event."""
    return event_key(line.event.source, line.event.event_id)


def entry_of(key: EventKey, line: StreamLine, object_key: str) -> IndexEntry:
    """Return the entry with which a line claims its event."""
    event = line.event
    received_ms = to_ms(event.received_at)
    return IndexEntry(
        key,
        "stored",
        address(line.position, line.line),
        to_ms(line.arrived_at) if line.arrived_at else received_ms,
        received_ms,
        object_key,
        packed(line.raw),
        event.event_type,
        to_ms(event.timestamp),
    )


def replaces(claim: IndexEntry, stored: IndexEntry, rules: IndexRules) -> bool:
    """Say whether a claim takes the place of what is stored under its event's name.

    What was rejected gives way to an event. An owner gives way once the window is over, when
    itself it can come no more: a line that was told to be an event sent again is told so each
    time, whenever DynamoDB deletes what has expired.
    """
    if claim.state == "quarantined":
        return False
    if stored.state == "quarantined":
        return True
    return stored.at != claim.at and claim.arrived_ms - stored.arrived_ms > rules.window_ms


def is_kept(line: StreamLine, owner: IndexEntry) -> bool:
    """Say whether a line goes on to everything that is made from events.

    The owner's line does, each time it comes. So does a replayed line of what the owner was made
    from, which may have been given up on its way; the same instants of receipt and of the event
    say so, and two such lines lie in one hour. Any other line is the event sent again, and the
    owner's is in the lake or will be.
    """
    if owner.at == address(line.position, line.line):
        return True
    event = line.event
    instants = (to_ms(event.received_at), to_ms(event.timestamp))
    return event.replayed and instants == (owner.received_ms, owner.timestamp_ms)


def object_names(lines: Sequence[StreamLine]) -> list[str]:
    """Name the lake object of each line, when these are all lines of a batch that are written."""
    ends: dict[tuple[datetime, str, str], tuple[str, str]] = {}
    groups = [(hour_of(x.event.timestamp), x.position.stream, x.position.shard) for x in lines]
    for group, line in zip(groups, lines, strict=True):
        first, _ = ends.get(group, (line.position.sequence, ""))
        ends[group] = (first, line.position.sequence)
    names = {
        (hour, stream, shard): lake_key(hour, stream, shard, first, last)
        for (hour, stream, shard), (first, last) in ends.items()
    }
    return [names[group] for group in groups]
