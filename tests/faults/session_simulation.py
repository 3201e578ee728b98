"""Schedules with people in them: the same world and faults, and sessions beside the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Protocol

from common.domain.decode import StreamLine
from common.domain.sessions import Person, SessionRules
from common.domain.timelines import Timeline
from common.ports.sessions import Change, SessionStore, Written
from fakes.sessions import MemorySessionStore
from faults.mapping import Lane
from faults.session_traffic import RULES, expected_timelines, of_the_stream, random_visits
from faults.simulation import Family, Simulation, Subject
from faults.stepping import Runners
from faults.traffic import STREAM, Sent, Sequences
from faults.world import Wire, World
from process.service import Deps
from process.sessions import Sessions

_AT_ONCE = 3
"""People of one transaction: so few that a batch has several, and a lost one has neighbours."""


class RemoteSessionStore(SessionStore):
    """Timelines behind calls that fail in every way a call can; each transaction is a call."""

    def __init__(self, stored: MemorySessionStore, wire: Wire, seen: Counter[str]) -> None:
        self._stored, self._wire, self._seen = stored, wire, seen

    def read(self, people: Sequence[Person]) -> Mapping[Person, Timeline]:
        return self._wire.call(partial(self._stored.read, people))

    def write(self, changes: Sequence[Change]) -> Written:
        done: frozenset[Person] = frozenset()
        lost: dict[Person, Timeline | None] = {}
        for begin in range(0, len(changes), _AT_ONCE):
            written = self._wire.call(partial(self._write, changes[begin : begin + _AT_ONCE]))
            done |= written.done
            lost |= written.lost
        return Written(done, lost)

    def _write(self, changes: Sequence[Change]) -> Written:
        written = self._stored.write(changes)
        self._seen["person lost"] += len(written.lost)
        self._seen["person written"] += len(written.done)
        self._seen["neighbour of a lost one"] += (
            len(changes) - len(written.done) - len(written.lost) if written.lost else 0
        )
        return written

    def write_blindly(self, person: Person, timeline: Timeline) -> None:
        """Put without a condition, as a control does."""
        self._wire.call(lambda: self._stored.timelines.update({person: timeline}))


@dataclass(frozen=True)
class Streams(Family):
    """A family in which people's events come on several streams, in one each time."""

    names: tuple[str, ...] = (STREAM, "other-flow")


class SessionsLike(Protocol):
    def assign(self, lines: Sequence[StreamLine]) -> Sequence[StreamLine]: ...


MakeSessions = Callable[[RemoteSessionStore, SessionRules], SessionsLike]


@dataclass
class SessionSimulation(Simulation):
    """A schedule whose lines are people's; sessions are what is looked at."""

    make: MakeSessions = Sessions
    stored: MemorySessionStore = field(default_factory=lambda: MemorySessionStore(_AT_ONCE))

    def __post_init__(self) -> None:
        # What is dropped of too many sessions depends on the order of records, and that is known
        # while a person stays on one shard.
        self._streams = self.family.names if isinstance(self.family, Streams) else (STREAM,)
        one_shard = not self.family.reshard and len(self._streams) == 1
        most = self.rng.choice((2, 4, 200)) if one_shard else RULES.max_sessions
        self.rules = replace(RULES, max_sessions=most)
        super().__post_init__()

    def _send(self) -> list[Lane]:
        rng, sequences = self.rng, Sequences(self.rng)
        split_after = rng.randint(2, 8) if self.family.reshard else 24
        shards: dict[tuple[str, str], list[Sent]] = {}
        for number in range(24):
            user = rng.randrange(6)
            shard = f"shardId-{user % 2:012d}"
            stream = rng.choice(self._streams)
            if user % 2 == 0 and len(shards.get((stream, shard), ())) >= split_after:
                shard = f"shardId-{2 + user // 2 % 2:012d}"
                self.faults["split shards"] += 1
            visits = random_visits(rng, number, user)
            one = of_the_stream(stream, shard, sequences.next(), user, visits)
            self.sent.append(one)
            shards.setdefault((stream, shard), []).append(one)
        return [lane for records in shards.values() for lane in self._lanes_of(records)]

    def _environment(self) -> Deps:
        reused = len(self._idle)
        deps = super()._environment()
        if len(self._idle) < reused:
            return deps
        store = RemoteSessionStore(self.stored, self, self.world.seen)
        return replace(deps, sessions=self.make(store, self.rules))  # type: ignore[arg-type]


@dataclass
class SessionVerdicts:
    """What a set of schedules came to."""

    schedules: int = 0
    wrong: int = 0
    """Schedules in which any person's sessions, marks or numbers are not what they must be."""
    people: int = 0
    people_wrong: int = 0
    over: int = 0
    """People with more events in their sessions than were sent."""
    lost: int = 0
    deliveries: int = 0
    lines_wrong: int = 0
    """Schedules in which the lake lacks a row: sessions must not cost what they stand beside."""
    seen: Counter[str] = field(default_factory=Counter)

    def add(self, run: SessionSimulation) -> None:
        truth, found = expected_timelines(run.sent, run.rules), run.stored.timelines
        people = truth.keys() | found.keys()
        bad = [person for person in people if truth.get(person) != found.get(person)]
        self.schedules += 1
        self.wrong += bool(bad)
        self.people += len(people)
        self.people_wrong += len(bad)
        self.over += sum(_events(found.get(p)) > _events(truth.get(p)) for p in bad)
        self.lost += sum(_events(found.get(p)) < _events(truth.get(p)) for p in bad)
        self.deliveries += run.deliveries
        self.lines_wrong += set(run.world.first_seen) != _rows(run.sent)
        self.seen.update(run.faults)
        self.seen.update(run.world.seen)
        self.seen["dropped sessions"] += sum(of.overflow for of in truth.values())
        self.seen["people on several shards"] += sum(len(of.marks) > 1 for of in truth.values())
        for lane in run.lanes:
            self.seen.update(lane.counts)


def _events(timeline: Timeline | None) -> int:
    return sum(session.events for session in timeline.sessions) if timeline else 0


def _rows(sent: Iterable[Sent]) -> set[tuple[str, str, int]]:
    return {
        (one.shard, one.sequence, number)
        for one in sent
        for number, line in enumerate(one.lines)
        if line.poison is None
    }


def run_sessions(
    family: Family, count: int, runners: Runners, make: MakeSessions = Sessions
) -> SessionVerdicts:
    """Run and judge ``count`` schedules; the same ones each time."""
    verdicts = SessionVerdicts()
    for number in range(count):
        rng = Random(f"sessions/{family.name}/{number}")
        simulation = SessionSimulation(family, Subject(), rng, runners, World(), make=make)
        simulation.run()
        verdicts.add(simulation)
    return verdicts
