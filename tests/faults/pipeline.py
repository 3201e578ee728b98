"""The whole pipeline in memory, moved step by step: process, replayer and hourly aggregation.

Process, sessions, index, replayer and aggregation are the shipped code. Stores are in memory, and
a call of theirs fails when a step says so.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from common.domain.event_index import IndexRules
from common.domain.keys import quarantine_key
from common.domain.sessions import SessionRules
from common.domain.windows import hour_of
from common.errors import StoreError, ThrottledError
from fakes.event_index import MemoryEventIndex
from fakes.sessions import MemorySessionStore
from faults.index_simulation import RemoteIndexStore
from faults.judge import ids_in
from faults.pipeline_hours import Aggregator
from faults.pipeline_reference import Reference
from faults.pipeline_replay import Replayer
from faults.pipeline_stream import Event, Placed, Shard, Stream
from faults.session_simulation import RemoteSessionStore
from faults.simulation import Subject
from faults.traffic import STREAM, Sent
from faults.world import Crash, RemoteHotStore, RemoteHourMarks, RemoteLake, World
from process.index import EventIndex
from process.service import Deps
from process.sessions import Sessions

BEGIN = datetime(2026, 11, 20, 10, 7, tzinfo=UTC)
INDEX_RULES = IndexRules.of(14)
SESSION_RULES = SessionRules.of(30, 7)
SESSION_GAP = timedelta(minutes=30)
MAX_TYPES = 200
_MOST_ROUNDS = 20
_AT_ONCE = 3

CALL_FAULTS = (
    "crashed before",
    "crashed after",
    "refused",
    "answer lost",
    "sent twice",
    "lands late",
)
Faults = Sequence[tuple[int, str]]
"""Number of a call, counted from 0, and what becomes of it."""


@dataclass
class Wire:
    """Carries the calls of one invocation, with faults at some of them."""

    faults: dict[int, str]
    late: list[Callable[[], Any]]
    seen: Counter[str]
    calls: int = 0

    def call(self, apply: Callable[[], Any]) -> Any:
        fault = self.faults.get(self.calls, "none")
        self.calls += 1
        self.seen[fault] += 1
        if fault == "crashed before":
            raise Crash
        if fault == "refused":
            raise ThrottledError("refused")
        if fault == "lands late":
            self.late.append(apply)
            raise StoreError("no answer in time")
        answer = apply()
        if fault == "crashed after":
            raise Crash
        if fault == "answer lost":
            raise StoreError("the answer got lost")
        return apply() if fault == "sent twice" else answer


class _SwitchedWire:
    """The wire of whichever invocation is running, for environments that live through several."""

    def __init__(self) -> None:
        self.now = Wire({}, [], Counter())

    def call(self, apply: Callable[[], Any]) -> Any:
        return self.now.call(apply)


@dataclass
class Pipeline:
    """Everything between the API and the results."""

    subject: Subject = field(default_factory=Subject)
    has_index: bool = False
    now: datetime = BEGIN

    def __post_init__(self) -> None:
        self.stream = Stream()
        self.world = World()
        self.sessions = MemorySessionStore(_AT_ONCE)
        self.index = MemoryEventIndex(_AT_ONCE)
        self.aggregator = Aggregator(self.world.lake)
        self.world.hours = self.aggregator.store  # type: ignore[assignment]
        self.replayer = Replayer(self.stream, self.world.lake.quarantined)
        self.placed: list[Placed] = []
        self.given_up: set[tuple[str, str]] = set()
        self.late: list[Callable[[], Any]] = []
        self.seen: Counter[str] = Counter()
        self._wire = _SwitchedWire()
        self._warm: list[Deps] = []

    def send(self, lines: Sequence[Event]) -> None:
        """Put one user's events on the stream, as ingest does once it has accepted them."""
        self.placed += self.stream.put(tuple(lines), self.now)

    def deliver(
        self, shard: Shard, size: int, faults: Faults, *, is_warm: bool, answer_lost: bool
    ) -> None:
        """Hand a shard's next batch to the function, and take its answer unless it gets lost."""
        delivery = shard.next(size)
        done = self._invoke(shard.records[slice(*delivery.span)], faults, is_warm=is_warm)
        self.seen["delivered"] += done
        self.seen["failed"] += not done
        self.seen["function's answer lost"] += answer_lost and done
        if done and not answer_lost:
            shard.took(delivery)
        else:
            shard.waiting.append(delivery)

    def deliver_again(self, shard: Shard, begin: int, size: int, faults: Faults) -> None:
        """Hand over a range that was done with, out of order; nobody looks at what it comes to."""
        begin %= shard.checkpoint
        span = slice(begin, min(begin + size, shard.checkpoint))
        self._invoke(shard.records[span], faults, is_warm=True)
        self.seen["out of order"] += 1

    def _invoke(self, records: Sequence[Sent], faults: Faults, *, is_warm: bool) -> bool:
        # The one that has been idle longest: what it remembers may be stale by now.
        deps = self._warm.pop(0) if is_warm and self._warm else self._environment()
        self._wire.now = Wire(dict(faults), self.late, self.seen)
        try:
            failed = list(self.subject.invoke([one.record for one in records], deps))
        except Crash:
            return False
        self._warm.append(deps)
        return not failed

    def _environment(self) -> Deps:
        wire, seen = self._wire, self.world.seen
        sessions = RemoteSessionStore(self.sessions, wire, seen)
        index = RemoteIndexStore(self.index, wire, seen)
        store = RemoteHotStore(self.world, wire)
        return Deps(
            lake=RemoteLake(self.world, wire, Random(len(self.placed))),
            hours=RemoteHourMarks(self.world, wire),
            counters=self.subject.counters(store, MAX_TYPES),  # type: ignore[arg-type]
            sessions=Sessions(sessions, SESSION_RULES),
            index=EventIndex(index, INDEX_RULES) if self.has_index else None,
        )

    def give_up(self, shard: Shard, size: int) -> None:
        """Discard what comes next of a shard into the failure bucket."""
        records = shard.give_up(size)
        self.given_up |= {(one.shard, one.sequence) for one in records}
        self.replayer.write_failure(records)
        self.seen["given up"] += 1

    def aggregate(self, kill_after: int | None = None) -> None:
        """Run the hourly aggregation as the schedule does."""
        oldest = self.stream.oldest()
        behind = timedelta(0) if oldest is None else self.now - datetime.fromtimestamp(oldest, UTC)
        lived = self.aggregator.run(self.now, behind, kill_after)
        self.seen["aggregated" if lived else "aggregation killed"] += 1

    def land(self, which: int) -> None:
        """Let a call take effect whose caller gave it up."""
        self.late.pop(which % len(self.late))()
        self.seen["landed"] += 1

    def drain(self) -> None:
        """Let everything end: no more faults, all read, replayed and aggregated."""
        for _ in range(_MOST_ROUNDS):
            while shards := self.stream.readable():
                self.deliver(shards[0], 4, (), is_warm=True, answer_lost=False)
            while self.late:
                self.land(0)
            if not self.replayer.waits:
                break
            self.replayer.run(self.now)
        self.now = hour_of(self.now) + timedelta(hours=3, minutes=10)
        for _ in range(3):
            self.aggregate()

    @property
    def reference(self) -> Reference:
        return Reference(self.placed, frozenset(self.given_up), self.has_index)

    def faults_now(self) -> Iterator[str]:
        """Name what does not hold although it must at each moment."""
        yield from self._missing()
        most_hot = self.reference.hot()
        for key, count in self._hot().items():
            if count > most_hot[key]:
                yield f"a hot window counts {count} of {most_hot[key]}: {key}"
        _, most = self.reference.figures()
        for hour, results in self.aggregator.results().items():
            for name, result in results.items():
                if result.count > most.of((hour, name))[0]:
                    yield f"{hour} counts {result.count} of {name}"
        for never in ("one key, other rows", "counted before it was in the lake"):
            if self.world.seen[never]:
                yield never

    def _missing(self) -> Iterator[str]:
        """Name accepted events that are in none of the places where one may be."""
        on_stream = {(one.shard, one.sequence) for one in self.stream.unfinished()}
        stored = ids_in(self.world)
        kept = self.world.lake.quarantined.keys() | self.replayer.quarantine.replayed
        for one in self.placed:
            if one.record in on_stream:
                continue
            if one.event.poison is None:
                found = one.event.event_id in stored
            else:
                found = quarantine_key(STREAM, *one.record, one.line) in kept
            if not found and not self._waits(one):
                yield f"{one} is nowhere"

    def _waits(self, one: Placed) -> bool:
        """Say whether a line lies in the failure bucket, or is on the stream again as replayed.

        With the index it may be another line of the event, which owns it.
        """
        failed = self.replayer.failed_records()
        if one.event.poison is not None:
            return f"{one.shard}:{one.sequence}" in {record["eventID"] for record in failed}
        records = [*failed, *(other.record for other in self.stream.unfinished())]
        data = b"".join(base64.b64decode(record["kinesis"]["data"]) for record in records)
        return f'"event_id":"{one.event.event_id}"'.encode() in data.replace(b" ", b"")

    def faults_at_the_end(self, gap: timedelta = SESSION_GAP) -> Iterator[str]:
        """Name what does not hold once everything has ended."""
        yield from self.faults_now()
        if self.replayer.waits or self.stream.unfinished():
            yield "something still waits"
        if left := self.aggregator.open_hours(self.now - timedelta(hours=1)):
            yield f"{left} are still open"
        yield from self._wrong_hours()
        hot, sure = self._hot(), self.reference.hot_for_sure()
        for key in hot.keys() | sure.keys():
            is_exact = not self.given_up and hot[key] == sure[key]
            if not (is_exact or (self.given_up and hot[key] >= sure[key])):
                yield f"a hot window holds {hot[key]} of {sure[key]}: {key}"
        yield from self._wrong_sessions(gap)

    def _wrong_sessions(self, gap: timedelta) -> Iterator[str]:
        for person, sessions in self.reference.sessions(gap).items():
            stored = self.sessions.timelines[person].sessions
            found = [(s.start_ms, s.end_ms, s.events) for s in stored]
            # Replayed lines extend a session and are not counted in it.
            compared = slice(2) if self.given_up else slice(3)
            if [each[compared] for each in found] != [each[compared] for each in sessions]:
                yield f"sessions of {person}: {found} for {sessions}"

    def _wrong_hours(self) -> Iterator[str]:
        least, most = self.reference.figures()
        results = self.aggregator.results()
        keys = {(hour, name) for hour, each in results.items() for name in each}
        for key in keys | set(most.keys()):
            result = results.get(key[0], {}).get(key[1])
            found = (0, 0, 0, 0)
            if result:
                found = result.count, result.errors, result.latency_count, result.unique_users
            if not within(least.of(key), found, most.of(key)):
                yield f"{key}: {found} for {least.of(key)} to {most.of(key)}"
            elif result and result.status != "final":
                yield f"{key} is not final"
        if self.has_index:
            total = sum(each["*"].count for each in results.values() if "*" in each)
            events = len(self.reference.sendings()) + sum(1 for _ in self.reference.mended())
            if total != events:
                yield f"all hours together count {total} of {events}"

    def _hot(self) -> Counter[tuple[str, str, str]]:
        return Counter(
            {
                (pk, sk, name): of.count
                for (pk, sk), window in self.world.hot.windows.items()
                for name, of in window.types.items()
            }
        )


def within(least: Sequence[int], found: Sequence[int], most: Sequence[int]) -> bool:
    """Hold figures against the least and the most that they may be; mostly the two are one."""
    return all(low <= is_ <= high for low, is_, high in zip(least, found, most, strict=True))
