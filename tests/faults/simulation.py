"""One random schedule: shards, invocations and calls interleaved, each step drawn by lot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Protocol, TypeVar

from common.errors import StoreError, ThrottledError
from faults.mapping import Delivery, Lane
from faults.mapping import Mapping as EventSourceMapping
from faults.observer import Observer
from faults.stepping import Runner, Runners
from faults.traffic import Expected, Sent, Sequences, expected, random_lines
from faults.world import Crash, RemoteHotStore, RemoteHourMarks, RemoteLake, World
from process.counters import HotCounters
from process.service import Deps, process

Answer = TypeVar("Answer")
Invoke = Callable[[Sequence[Mapping[str, Any]], Deps], Iterable[str]]
"""Process a batch and name the records that failed, as the function's answer does."""

MAX_DELIVERIES = 1_500
"""Faults end after this many deliveries, so that every schedule ends."""


class StuckError(AssertionError):
    """The faults have ended, and the work does not."""


@dataclass(frozen=True)
class Family:
    """Which faults a set of schedules has; crashes and lost answers are in each."""

    name: str
    mapping: EventSourceMapping
    late_calls: bool = False
    """Calls land after their caller gave up, and invocations run on beside their retry."""
    reshard: bool = False
    lanes: int = 1
    """More than one is what ParallelizationFactor would do."""
    rates: tuple[float, ...] = (0.01, 0.03, 0.1)
    """Chance of each kind of fault per call; each schedule draws one of them."""


class CountersLike(Protocol):
    def add(self, lines: Iterable[Any]) -> None: ...


def invoke_shipped(records: Sequence[Mapping[str, Any]], deps: Deps) -> list[str]:
    """Do what the function does."""
    outcome = process(records, deps)
    return [outcome.retry_from] if outcome.retry_from else []


@dataclass(frozen=True)
class Subject:
    """What is under test: the shipped code, or a control in one of its places."""

    counters: Callable[[RemoteHotStore, int], CountersLike] = lambda store, max_types: HotCounters(
        store, max_types=max_types
    )
    invoke: Invoke = invoke_shipped


@dataclass
class Invocation:
    """A batch under way in an execution environment; without a lane nobody waits for it."""

    lane: Lane | None
    delivery: Delivery
    deps: Deps
    runner: Runner


@dataclass
class Simulation:
    """Everything of one schedule."""

    family: Family
    subject: Subject
    rng: Random
    runners: Runners
    world: World = field(default_factory=World)
    faults: Counter[str] = field(default_factory=Counter)
    max_deliveries: int = MAX_DELIVERIES

    def __post_init__(self) -> None:
        self.max_types = self.rng.choice((2, 8))
        self.rate = self.rng.choice(self.family.rates)
        self.sent: list[Sent] = []
        self.lanes = self._send()
        self.deliveries = 0
        self._running: list[Invocation] = []
        self._in_flight: list[Callable[[], Any]] = []
        self._idle: list[Deps] = []
        self._now: Invocation | None = None
        self.observer = Observer(self.world, self.rng)

    @property
    def expected(self) -> Expected:
        return expected(self.sent, max_types=self.max_types)

    def run(self) -> None:
        """Step until everything was delivered and everything late has landed."""
        while True:
            self._deliver()
            choices = len(self._running) + len(self._in_flight)
            if not choices:
                break
            chosen = self.rng.randrange(choices)
            if chosen < len(self._running):
                self._step(self._running[chosen])
            else:
                self._in_flight.pop(chosen - len(self._running))()
            self.observer.step()

    def call(self, apply: Callable[[], Answer]) -> Answer:
        """Carry a call of the invocation that is running, faults and all."""
        assert self._now is not None
        self._now.runner.pause()
        fault = self._draw()
        self.faults[fault] += 1
        if fault in ("crashed after", "answer lost", "sent twice"):
            answer = apply()
            if fault == "sent twice":
                answer = apply()
            elif fault == "answer lost":
                raise StoreError("the answer got lost")
            else:
                raise Crash
            return answer
        if fault == "crashed before":
            raise Crash
        if fault == "refused":
            raise ThrottledError("refused")
        if fault in ("lands late", "lands late and again"):
            self._in_flight.append(apply)
        if fault == "lands late":
            raise StoreError("no answer in time")
        return apply()

    def _draw(self) -> str:
        if self.deliveries > self.max_deliveries:
            return "none"
        kinds = ["crashed before", "crashed after", "refused", "answer lost", "sent twice"]
        rates = [self.rate] * 2 + [self.rate / 2] * 3
        if self.family.late_calls:
            kinds += ["lands late", "lands late and again"]
            rates += [self.rate / 2] * 2
        return self.rng.choices([*kinds, "none"], [*rates, 1 - sum(rates)])[0]

    def _send(self) -> list[Lane]:
        """Spread 24 records over two shards; one of them may split after its first ones."""
        rng, sequences = self.rng, Sequences(self.rng)
        split_after = rng.randint(2, 8) if self.family.reshard else 24
        shards: dict[str, list[Sent]] = {}
        for number in range(24):
            user = rng.randrange(6)
            shard = f"shardId-{user % 2:012d}"
            if user % 2 == 0 and len(shards.get(shard, ())) >= split_after:
                shard = f"shardId-{2 + user // 2 % 2:012d}"
                self.faults["split shards"] += 1
            one = self._record(shard, sequences.next(), user, number)
            self.sent.append(one)
            shards.setdefault(shard, []).append(one)
        return [lane for records in shards.values() for lane in self._lanes_of(records)]

    def _record(self, shard: str, sequence: str, user: int, number: int) -> Sent:
        """Make the record of that number."""
        return Sent.of(shard, sequence, user, random_lines(self.rng, number, types=4))

    def _lanes_of(self, records: list[Sent]) -> list[Lane]:
        split: dict[int, list[Sent]] = {}
        for one in records:
            split.setdefault(one.user % 6 // 2 % self.family.lanes, []).append(one)
        return [Lane(same, self.family.mapping, self.rng) for same in split.values()]

    def _deliver(self) -> None:
        busy = [invocation.lane for invocation in self._running]
        for lane in self.lanes:
            if not lane.finished and not any(lane is other for other in busy):
                self._begin(lane)

    def _begin(self, lane: Lane) -> None:
        self.deliveries += 1
        if self.deliveries > 4 * self.max_deliveries:
            raise StuckError
        delivery, deps = lane.next(), self._environment()
        records = [one.record for one in lane.records[slice(*delivery.span)]]
        invocation = Invocation(lane, delivery, deps, self.runners.take())
        invocation.runner.begin(lambda: list(self.subject.invoke(records, deps)))
        self._running.append(invocation)

    def _environment(self) -> Deps:
        """Take an execution environment that remembers something, or a new one."""
        if self._idle and self.rng.random() < 0.8:
            return self._idle.pop(self.rng.randrange(len(self._idle)))
        store = RemoteHotStore(self.world, self)
        return Deps(
            lake=RemoteLake(self.world, self, self.rng),
            hours=RemoteHourMarks(self.world, self),
            counters=self.subject.counters(store, self.max_types),  # type: ignore[arg-type]
        )

    def _step(self, invocation: Invocation) -> None:
        if self._gives_up(invocation):
            return
        self._now = invocation
        invocation.runner.step()
        if invocation.runner.done:
            self._running.remove(invocation)
            self._end(invocation)

    def _gives_up(self, invocation: Invocation) -> bool:
        """Let the mapping count an invocation as failed that runs on."""
        gives_up = (
            self.family.late_calls
            and invocation.lane is not None
            and self.deliveries <= self.max_deliveries
            and self.rng.random() < self.rate / 5
        )
        if gives_up and invocation.lane:
            self.faults["ran on beside its retry"] += 1
            invocation.lane.failed(invocation.delivery)
            invocation.lane = None
        return gives_up

    def _end(self, invocation: Invocation) -> None:
        runner, lane, delivery = invocation.runner, invocation.lane, invocation.delivery
        failed, error = runner.result, runner.error
        self.runners.give_back(runner)
        if error is None:
            self._idle.append(invocation.deps)
        elif not isinstance(error, Crash):
            raise error
        if lane is None:
            return
        if error is not None or self._answer_lost():
            lane.failed(delivery)
        elif failed:
            sequences = [one.sequence for one in lane.records[slice(*delivery.span)]]
            lane.failed(delivery, done=min(sequences.index(one) for one in failed))
        else:
            lane.succeeded(delivery)
        self._replay(lane)

    def _answer_lost(self) -> bool:
        lost = self.deliveries <= self.max_deliveries and self.rng.random() < self.rate / 2
        self.faults["function's answer lost"] += lost
        return lost

    def _replay(self, lane: Lane) -> None:
        """Put discarded records on the shard again, flagged as replayed."""
        for one in lane.discarded:
            last = max(int(other.sequence) for other in lane.records)
            lines = tuple(replace(line, replayed=True) for line in one.lines)
            lane.records.append(Sent.of(one.shard, str(last + 7), one.user, lines))
        lane.discarded.clear()
