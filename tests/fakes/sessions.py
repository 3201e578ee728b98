"""People's sessions in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from common.domain.keys import active_part, active_slot
from common.domain.sessions import Person
from common.domain.timelines import Timeline
from common.domain.windows import from_ms
from common.ports.sessions import (
    ActiveSlot,
    Change,
    PersonSessions,
    SessionReadings,
    SessionStore,
    Written,
)


class MemorySessionStore(SessionStore):
    def __init__(self, at_once: int = 100) -> None:
        self.timelines: dict[Person, Timeline] = {}
        self.transactions = 0
        self._at_once = at_once

    def read(self, people: Sequence[Person]) -> Mapping[Person, Timeline]:
        return {person: self.timelines[person] for person in people if person in self.timelines}

    def write(self, changes: Sequence[Change]) -> Written:
        done: set[Person] = set()
        lost: dict[Person, Timeline | None] = {}
        for begin in range(0, len(changes), self._at_once):
            some = changes[begin : begin + self._at_once]
            self.transactions += 1
            refused = [c for c in some if self._version(c.person) != c.over]
            lost |= {c.person: self.timelines.get(c.person) for c in refused}
            if not refused:
                self.timelines |= {c.person: c.timeline for c in some}
                done |= {c.person for c in some}
        return Written(frozenset(done), lost)

    def _version(self, person: Person) -> int | None:
        stored = self.timelines.get(person)
        return stored.version if stored else None


class MemorySessionReadings(SessionReadings):
    def __init__(self, timelines: Mapping[Person, Timeline]) -> None:
        self.timelines = timelines
        self.well = True

    def of_person(self, key: str) -> PersonSessions | None:
        return next(iter(self.of_people([key])), None)

    def of_people(self, keys: Sequence[str]) -> list[PersonSessions]:
        by_key = {person.key: (person, of) for person, of in self.timelines.items()}
        return [PersonSessions(*by_key[key]) for key in keys if key in by_key]

    def active(self, slots: Sequence[ActiveSlot], limit: int) -> list[list[str]]:
        return [self._active(slot)[:limit] for slot in slots]

    def _active(self, slot: ActiveSlot) -> list[str]:
        return sorted(
            person.key
            for person, of in self.timelines.items()
            if active_slot(from_ms(of.last_ms), person.key) == active_part(slot.at, slot.part)
            and person.key > slot.after
        )

    def check(self) -> bool:
        return self.well
