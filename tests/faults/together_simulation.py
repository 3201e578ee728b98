"""Schedules with sessions and the event index at once: neither may cost what the other keeps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

from common.domain.sessions import Person
from common.domain.timelines import Timeline
from common.domain.windows import to_ms
from common.models import parse_instant
from fakes.sessions import MemorySessionStore
from faults.index_simulation import IndexSimulation, IndexVerdicts, Sending, random_sendings
from faults.session_simulation import RemoteSessionStore
from faults.session_traffic import RULES, Visit, expected_timelines
from faults.simulation import Family, Subject
from faults.stepping import Runners
from faults.traffic import Sent
from faults.world import World
from process.service import Deps
from process.sessions import Sessions

_AT_ONCE = 3


@dataclass
class TogetherSimulation(IndexSimulation):
    """A schedule of events of people that are sent again."""

    timelines: MemorySessionStore = field(default_factory=lambda: MemorySessionStore(_AT_ONCE))

    def _record(self, shard: str, sequence: str, user: int, number: int) -> Sent:
        lines = random_sendings(self.rng, number, user)
        return Sent.of(shard, sequence, user, lines)  # type: ignore[arg-type]

    def _environment(self) -> Deps:
        deps = super()._environment()
        if deps.sessions is not None:
            return deps
        store = RemoteSessionStore(self.timelines, self, self.world.seen)
        return replace(deps, sessions=Sessions(store, RULES))

    def expected_timelines(self) -> dict[Person, Timeline]:
        """Return the sessions of the lines that the lake has, by sorting."""
        kept = [
            replace(one, lines=tuple(self._visit(one, n) for n in range(len(one.lines))))
            for one in self.every_record()
        ]
        return expected_timelines(kept, RULES)

    def _visit(self, one: Sent, number: int) -> Visit:
        line: Sending = one.lines[number]  # type: ignore[assignment]
        is_in = (one.shard, one.sequence, number) in self.world.first_seen
        at_ms, came_ms = (to_ms(parse_instant(each)) for each in (line.at, line.came))
        person = Person("user", f"u{line.user}") if is_in else None
        return Visit(line.event_id, person, at_ms, came_ms, None, line.replayed)


@dataclass
class TogetherVerdicts(IndexVerdicts):
    """What a set of schedules came to."""

    people: int = 0
    people_wrong: int = 0
    """People whose sessions are not those of the lines in the lake."""

    def add(self, run: IndexSimulation) -> None:
        super().add(run)
        assert isinstance(run, TogetherSimulation)
        truth, found = run.expected_timelines(), run.timelines.timelines
        people = truth.keys() | found.keys()
        self.people += len(people)
        self.people_wrong += sum(_spans(truth, each) != _spans(found, each) for each in people)


def _spans(timelines: dict[Person, Timeline], person: Person) -> list[tuple[int, int, int]]:
    of = timelines.get(person)
    return [(s.start_ms, s.end_ms, s.events) for s in of.sessions] if of else []


def run_together(family: Family, count: int, runners: Runners) -> TogetherVerdicts:
    """Run and judge ``count`` schedules; the same ones each time."""
    verdicts = TogetherVerdicts()
    for number in range(count):
        rng = Random(f"together/{family.name}/{number}")
        one = TogetherSimulation(family, Subject(), rng, runners, World())
        one.run()
        verdicts.add(one)
    return verdicts
