"""A person's sessions as they are stored: exact, whatever order and however often lines come.

The runs of a set of events do not depend on the order in which the events are added: an event
joins every run within the gap of it, and what it joins becomes one.

A timeline knows, for each shard, the last record that is in it. As one shard's records come in
order the first time, a record at or below that mark is in it already.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from common.domain.sessions import RecordSightings, Session, SessionRules, Sighting


class Mark(NamedTuple):
    """The last record of a shard that a timeline holds."""

    last: str
    """Its :func:`common.domain.keys.sequence_mark`."""
    arrived_ms: int
    """When the latest of the shard's records arrived."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """A person's sessions as they are stored."""

    sessions: tuple[Session, ...]
    """In order of their start, then of their id."""
    marks: Mapping[str, Mark]
    """By stream and shard."""
    newest_ms: int
    """When the latest of all its records arrived."""
    overflow: int = 0
    """Sessions that were dropped because there were more than are kept."""
    version: int = field(default=0, compare=False)
    """Another one after each write: what a write replaces must have the version it was made of."""

    @property
    def last_ms(self) -> int:
        """Return when the last event of any session happened."""
        return max((session.end_ms for session in self.sessions), default=0)


def not_applied(
    records: Sequence[RecordSightings], timeline: Timeline | None
) -> Sequence[RecordSightings]:
    """Leave out the records that a stored timeline holds already."""
    if timeline is None:
        return records
    marks = timeline.marks
    return [
        record
        for record in records
        if record.shard not in marks or record.mark > marks[record.shard].last
    ]


def applied(
    timeline: Timeline | None, records: Sequence[RecordSightings], rules: SessionRules
) -> Timeline:
    """Add records to a timeline.

    Parameters
    ----------
    timeline
        The person's sessions as stored; ``None`` when nothing is.
    records
        At least one, of each shard in order of their marks, all above the shard's mark.
    rules
        The gap, and how long sessions are kept.

    Notes
    -----
    Old sessions go by the time at which the person's newest record arrived, and those over the
    most that are kept after each record: what a timeline holds depends on the records and not
    on how they were cut into batches.
    """
    timeline = timeline or Timeline((), {}, 0)
    runs = [each for each in timeline.sessions if each.client_id is None]
    named = {each.client_id: each for each in timeline.sessions if each.client_id is not None}
    marks, newest_ms, overflow = dict(timeline.marks), timeline.newest_ms, timeline.overflow
    for record in records:
        arrived_ms = max([seen.arrived_ms for seen in record.sightings])
        newest_ms = max(newest_ms, arrived_ms)
        for seen in record.sightings:
            _take(runs, named, seen, rules.gap_ms)
        oldest_ms = newest_ms - rules.keep_ms
        _drop_old(runs, named, oldest_ms)
        overflow += _drop_surplus(runs, named, rules.max_sessions)
        mark = marks.get(record.shard)
        latest_ms = max(arrived_ms, mark.arrived_ms) if mark else arrived_ms
        marks[record.shard] = Mark(record.mark, latest_ms)
    return Timeline(
        tuple(sorted((*runs, *named.values()), key=lambda s: (s.start_ms, s.client_id or ""))),
        {shard: mark for shard, mark in marks.items() if mark.arrived_ms >= oldest_ms},
        newest_ms,
        overflow,
        # Not 1: an item that expired and one that was made anew must not be taken for each other.
        timeline.version + 1 if timeline.version else max(newest_ms, 1),
    )


def _take(runs: list[Session], named: dict[str, Session], seen: Sighting, gap_ms: int) -> None:
    """Let an event join the client's session that it names, else every run that it is near."""
    if seen.client_id is not None:
        old = named.get(seen.client_id)
        named[seen.client_id] = _longer(old, seen) if old else _joined([], seen)
        return
    # Runs are in order and further apart than the gap, so those that are near are neighbours.
    end = begin = _starting_by(runs, seen.at_ms + gap_ms)
    while begin and runs[begin - 1].end_ms >= seen.at_ms - gap_ms:
        begin -= 1
    if end - begin == 1:
        runs[begin] = _longer(runs[begin], seen)
    else:
        runs[begin:end] = [_joined(runs[begin:end], seen)]


def _starting_by(sessions: Sequence[Session], at_ms: int) -> int:
    """Return how many of some sessions in order start no later than at an instant."""
    # Tuples are compared as they are: a function for the key would cost more than the search.
    return bisect_left(sessions, (at_ms + 1,))


def _longer(session: Session, seen: Sighting) -> Session:
    """Join an event to one session, as nearly all do: a third of what it takes to join any."""
    start_ms, end_ms, events, client_id = session
    at_ms = seen.at_ms
    if at_ms < start_ms:
        start_ms = at_ms
    elif at_ms > end_ms:
        end_ms = at_ms
    return Session(start_ms, end_ms, events + seen.counts, client_id)


def _joined(parts: Sequence[Session], seen: Sighting) -> Session:
    return Session(
        min((seen.at_ms, *(part.start_ms for part in parts))),
        max((seen.at_ms, *(part.end_ms for part in parts))),
        sum(part.events for part in parts) + seen.counts,
        seen.client_id,
    )


def _drop_old(runs: list[Session], named: dict[str, Session], oldest_ms: int) -> None:
    if [each for each in (*runs, *named.values()) if each.end_ms < oldest_ms]:
        _keep(runs, named, lambda each: each.end_ms >= oldest_ms)


def _drop_surplus(runs: list[Session], named: dict[str, Session], most: int) -> int:
    surplus = len(runs) + len(named) - most
    if surplus <= 0:
        return 0
    dropped = set(sorted((*runs, *named.values()), key=_by_end)[:surplus])
    _keep(runs, named, lambda each: each not in dropped)
    return surplus


def _keep(
    runs: list[Session], named: dict[str, Session], wanted: Callable[[Session], bool]
) -> None:
    runs[:] = [each for each in runs if wanted(each)]
    for each in [each for each in named.values() if not wanted(each)]:
        del named[str(each.client_id)]


def _by_end(session: Session) -> tuple[int, int, str]:
    return session.end_ms, session.start_ms, session.client_id or ""


def session_at(timeline: Timeline, at_ms: int) -> Session | None:
    """Return the computed session that holds an instant; ``None`` when it is not kept."""
    for nth in range(_starting_by(timeline.sessions, at_ms) - 1, -1, -1):
        session = timeline.sessions[nth]
        if session.client_id is None:
            # Computed ones do not overlap: those that start before this one end before it.
            return session if at_ms <= session.end_ms else None
    return None
