"""Write one batch of the stream to everything that is made from it.

Each stage may run again, with the same records in other batches, without a trace. The order is
part of the guarantees: the lake before the hour marks, so that who reads a generation and then
the rows never misses rows for good; the counters last, so that what they count is in the lake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.domain.decode import StreamBatch, StreamLine, decode_batch, position_of
from common.domain.keys import lake_key
from common.domain.windows import HOUR, from_ms, hour_of
from common.errors import StoreError, ThrottledError
from common.ports.hours import HourMarks
from common.ports.lake import Lake, LakeObject
from process.counters import HotCounters
from process.index import EventIndex
from process.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Deps:
    """The outside world of the process function."""

    lake: Lake
    hours: HourMarks
    counters: HotCounters
    sessions: Sessions | None = None
    """``None`` computes no sessions."""
    index: EventIndex | None = None
    """``None`` keeps no index, and takes an event that is sent again for another one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one batch."""

    events: int
    """Good lines of the batch."""
    quarantined: int
    """Lines that no retry can fix."""
    deduplicated: int = 0
    """Good lines that were left out: events that were sent again."""
    retry_from: str | None = None
    """Sequence number of the first record to be delivered again; ``None``: all is done."""
    error: ThrottledError | StoreError | None = None
    """Why the batch is to come again."""


def process(records: Sequence[Mapping[str, Any]], deps: Deps) -> Outcome:
    """Write the records of one invocation: at least once to the lake, exactly once to the counters.

    A dependency that fails stops the work there and asks for the whole batch again: records
    after a failed one must not be counted, or the failed one would be taken for counted.

    Raises
    ------
    Exception
        Whatever is not a dependency's failure is a bug: the invocation fails, and the stream
        halves the batch until the record that hits it stands alone.
    """
    batch = decode_batch(records)
    events, quarantined = len(batch.lines), sum(bad.count for bad in batch.bad)
    try:
        kept = _write(batch, deps)
    except (ThrottledError, StoreError) as error:
        first = position_of(records[0]).sequence
        return Outcome(events, quarantined, retry_from=first, error=error)
    return Outcome(events, quarantined, deduplicated=events - kept)


def _write(batch: StreamBatch, deps: Deps) -> int:
    """Write a batch, and return how many of its good lines were written."""
    deps.lake.put_quarantine(batch.bad)
    lines: Sequence[StreamLine] = batch.lines
    # First of all: what it leaves out is in nothing that is made from events.
    if deps.index:
        lines = deps.index.admit(lines, batch.bad)
    # Before the lake, whose rows tell the session that they are in.
    if deps.sessions:
        lines = deps.sessions.assign(lines)
    hours = lines_by_hour(lines)
    deps.lake.put_events(lake_objects(hours))
    deps.hours.raise_generation(list(hours))
    deps.counters.add(lines)
    return len(lines)


def lines_by_hour(lines: Sequence[StreamLine]) -> dict[datetime, list[StreamLine]]:
    """Group lines by the hour of event time, the hours in order."""
    hours: dict[datetime, list[StreamLine]] = {}
    same: list[StreamLine] = []
    begin = end = from_ms(0)
    for line in lines:
        at = line.event.timestamp
        # Most lines are of the hour of the line before.
        if not begin <= at < end:
            begin = hour_of(at)
            end = begin + HOUR
            same = hours.setdefault(begin, [])
        same.append(line)
    return dict(sorted(hours.items()))


def lake_objects(hours: Mapping[datetime, Sequence[StreamLine]]) -> list[LakeObject]:
    """Make one object per hour and shard.

    It is named after the first and the last record that have a line in it. Batches are
    unbroken ranges of a shard, so two objects of one name hold the same lines.
    """
    objects: dict[tuple[datetime, str, str], list[StreamLine]] = {}
    for hour, lines in hours.items():
        for line in lines:
            at = line.position
            objects.setdefault((hour, at.stream, at.shard), []).append(line)
    return [
        LakeObject(
            lake_key(hour, stream, shard, same[0].position.sequence, same[-1].position.sequence),
            tuple(same),
        )
        for (hour, stream, shard), same in objects.items()
    ]
