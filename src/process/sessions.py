"""The sessions of a batch's people: exact per stream line, one transaction for many of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from common.domain.decode import StreamLine
from common.domain.sessions import (
    Person,
    RecordSightings,
    Seen,
    SessionRules,
    by_person,
    computed_id,
    seen_in,
)
from common.domain.timelines import Timeline, applied, not_applied, session_at
from common.errors import ConditionLostError
from common.ports.sessions import Change, SessionStore

_CACHED_PEOPLE = 5_000
"""Some 15 MB of timelines; one that fell out costs a read."""

_TRIES = 8
"""People are on one shard at a time, so a condition is lost to forgotten writers, once to each."""


class Sessions:
    """Adds batches to people's timelines, and remembers what it stored.

    Guarantee: each record is in the timeline of each of its people once, if the records of a
    shard come in order the first time and any range that begins at or before the first unfinished
    record may come again. That holds through crashes, lost answers, writes that land late, stale
    memories of other execution environments, and batches with other boundaries; and where several
    shards hold records of one person, as after a split.
    """

    def __init__(self, store: SessionStore, rules: SessionRules) -> None:
        self._store = store
        self._rules = rules
        self._stored: OrderedDict[Person, Timeline] = OrderedDict()

    def assign(self, lines: Sequence[StreamLine]) -> tuple[StreamLine, ...]:
        """Add a batch to the timelines, and tell each line's session as it is now known.

        Raises
        ------
        ThrottledError, StoreError
            Some people may be done; give the same records again, in any batches.
        """
        seen = [seen_in(line, self._rules) for line in lines]
        timelines = self._settled(by_person(lines, seen))
        self._remember(timelines)
        keys = {person: person.key for person in timelines}
        return tuple(
            _named(line, found, timelines, keys) for line, found in zip(lines, seen, strict=True)
        )

    def _settled(
        self, records: Mapping[Person, Sequence[RecordSightings]]
    ) -> dict[Person, Timeline]:
        # Taken out, and put back once it is known what is stored: an exception forgets them.
        stored: dict[Person, Timeline | None] = {
            person: self._stored.pop(person) for person in records if person in self._stored
        }
        unknown = [person for person in records if person not in stored]
        if unknown:
            stored |= self._store.read(unknown)
        todo = dict(records)
        for _ in range(_TRIES):
            changes = [
                Change(person, applied(old, fresh, self._rules), old.version if old else None)
                for person in todo
                if (fresh := not_applied(todo[person], old := stored.get(person)))
            ]
            if not changes:
                return {person: timeline for person, timeline in stored.items() if timeline}
            written = self._store.write(changes)
            stored |= written.lost
            stored |= {c.person: c.timeline for c in changes if c.person in written.done}
            todo = {c.person: records[c.person] for c in changes if c.person not in written.done}
        raise ConditionLostError("people's sessions changed under each of several writes")

    def _remember(self, timelines: Mapping[Person, Timeline]) -> None:
        self._stored |= timelines
        while len(self._stored) > _CACHED_PEOPLE:
            self._stored.popitem(last=False)


def _named(
    line: StreamLine,
    seen: Seen | None,
    timelines: Mapping[Person, Timeline],
    keys: Mapping[Person, str],
) -> StreamLine:
    """Give a line the id of the computed session that it is in, if it is in one."""
    if seen is None:
        return line
    person, sighting = seen
    if sighting.client_id is not None or person not in timelines:
        return line
    session = session_at(timelines[person], sighting.at_ms)
    if session is None:
        return line
    return line.in_session(computed_id(keys[person], session.start_ms))
