"""The sessions of a batch's people: exact per stream line, one transaction for many of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from common.domain.decode import StreamLine
from common.domain.sessions import (
    Person,
    RecordSightings,
    SessionRules,
    Sighting,
    by_person,
    computed_id,
    seen_in,
)
from common.domain.timelines import Timeline, applied, not_applied, session_at
from common.errors import ConditionLostError
from common.ports.sessions import Change, SessionStore

_CACHED_PEOPLE = 5_000
_CACHED_PARTS = 25_000
"""Sessions and marks of all of them. With both bounds the timelines take 7 to 13 MB, measured; one
that fell out costs a read."""

_PEOPLE_AT_ONCE = 200
"""Two transactions. People with as many and as long sessions as are kept take half a megabyte each
while they are written, and a batch may be of thousands."""

_TRIES = 30
"""Writes in a row by which nobody was settled. Each time another one wrote these people: forgotten
writers, once each, and the shards of other flows that have events of theirs, once for each of their
batches. A batch takes several times as long as one try, so that all come through in turn."""


class Sessions:
    """Adds batches to people's timelines, and remembers what it stored.

    Guarantee: each record is in the timeline of each of its people once, if the records of a
    shard come in order the first time and any range that begins at or before the first unfinished
    record may come again, for as long as marks are kept after the record arrived. That holds
    through crashes, lost answers, writes that land late, stale memories of other execution
    environments, and batches with other boundaries; and where several shards hold records of one
    person, as after a split, or as those of several flows, at the same time.
    """

    def __init__(self, store: SessionStore, rules: SessionRules) -> None:
        self._store = store
        self._rules = rules
        self._stored: OrderedDict[Person, Timeline] = OrderedDict()
        self._parts = 0

    def assign(self, lines: Sequence[StreamLine]) -> tuple[StreamLine, ...]:
        """Add a batch to the timelines, and tell each line's session as it is now known.

        Raises
        ------
        ThrottledError, StoreError
            Some people may be done; give the same records again, in any batches.
        """
        seen = [seen_in(line, self._rules) for line in lines]
        records = by_person(lines, seen)
        places: dict[Person, list[tuple[int, Sighting]]] = {person: [] for person in records}
        for place, found in enumerate(seen):
            if found is not None:
                places[found[0]].append((place, found[1]))
        named = list(lines)
        self._store.begin()
        for people in _some_at_a_time(records):
            timelines = self._settled({person: records[person] for person in people})
            for person, timeline in timelines.items():
                for place, session_id in _sessions_of(person, timeline, places[person]):
                    named[place] = lines[place].in_session(session_id)
            self._remember(timelines)
        return tuple(named)

    def _settled(
        self, records: Mapping[Person, Sequence[RecordSightings]]
    ) -> dict[Person, Timeline]:
        # Taken out, and put back once it is known what is stored: an exception forgets them.
        stored: dict[Person, Timeline | None] = {
            person: self._forget(person) for person in records if person in self._stored
        }
        unknown = [person for person in records if person not in stored]
        if unknown:
            stored |= self._store.read(unknown)
        todo, tries = dict(records), 0
        while tries < _TRIES:
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
            tries = 0 if written.done else tries + 1
        raise ConditionLostError("people's sessions changed under each of several writes")

    def _remember(self, timelines: Mapping[Person, Timeline]) -> None:
        self._stored |= timelines
        self._parts += sum(map(_parts_of, timelines.values()))
        while len(self._stored) > _CACHED_PEOPLE or self._parts > _CACHED_PARTS:
            self._forget(next(iter(self._stored)))

    def _forget(self, person: Person) -> Timeline:
        timeline = self._stored.pop(person)
        self._parts -= _parts_of(timeline)
        return timeline


def _parts_of(timeline: Timeline) -> int:
    """Tell how heavy a timeline is."""
    return len(timeline.sessions) + len(timeline.marks)


def _some_at_a_time(people: Iterable[Person]) -> Iterator[list[Person]]:
    rest = iter(people)
    while some := list(islice(rest, _PEOPLE_AT_ONCE)):
        yield some


def _sessions_of(
    person: Person, timeline: Timeline, places: Iterable[tuple[int, Sighting]]
) -> Iterator[tuple[int, str]]:
    """Yield the places of a person's lines that are in a computed session, each with its id."""
    key, session, session_id = person.key, None, ""
    for place, sighting in places:
        if sighting.client_id is not None:
            continue
        # Most lines are in the same session as the one before.
        if session is None or not session.start_ms <= sighting.at_ms <= session.end_ms:
            session = session_at(timeline, sighting.at_ms)
            session_id = computed_id(key, session.start_ms) if session else ""
        if session is not None:
            yield place, session_id
