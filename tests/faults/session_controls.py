"""Ways to keep sessions that are known to be wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from common.domain.decode import StreamLine
from common.domain.sessions import Person, Session, SessionRules, by_person, seen_in
from common.domain.timelines import Timeline, applied, not_applied
from common.ports.sessions import Change, Written
from faults.session_simulation import RemoteSessionStore
from faults.session_traffic import Visit
from process.sessions import Sessions


class WithoutVersions:
    """Reads, adds what is above the marks and puts it back: whoever wrote between is lost."""

    def __init__(self, store: RemoteSessionStore, rules: SessionRules) -> None:
        self._store, self._rules = store, rules

    def assign(self, lines: Sequence[StreamLine]) -> Sequence[StreamLine]:
        records = by_person(lines, [seen_in(line, self._rules) for line in lines])
        stored = self._store.read(list(records))
        for person, seen in records.items():
            fresh = not_applied(seen, stored.get(person))
            if fresh:
                self._store.write_blindly(person, applied(stored.get(person), fresh, self._rules))
        return lines


class WithoutMarks:
    """Writes over the version that it knows, and takes every record for a new one."""

    def __init__(self, store: RemoteSessionStore, rules: SessionRules) -> None:
        self._shipped = Sessions(_ForgetsMarks(store), rules)

    def assign(self, lines: Sequence[StreamLine]) -> Sequence[StreamLine]:
        return self._shipped.assign(lines)


class _ForgetsMarks(RemoteSessionStore):
    def __init__(self, store: RemoteSessionStore) -> None:
        self._store = store

    def read(self, people: Sequence[Person]) -> Mapping[Person, Timeline]:
        return {person: replace(of, marks={}) for person, of in self._store.read(people).items()}

    def write(self, changes: Sequence[Change]) -> Written:
        written = self._store.write(changes)
        lost = {person: of and replace(of, marks={}) for person, of in written.lost.items()}
        return replace(written, lost=lost)


def by_arrival(visits: Iterable[Visit], gap_ms: int) -> list[Session]:
    """Compare each event with the last one seen, in the order in which they arrive, as is usual."""
    sessions: list[Session] = []
    for visit in visits:
        last = sessions[-1] if sessions else None
        if last is None or visit.at_ms - last.end_ms > gap_ms:
            sessions.append(Session(visit.at_ms, visit.at_ms, 1))
        else:
            sessions[-1] = Session(last.start_ms, visit.at_ms, last.events + 1)
    return sessions
