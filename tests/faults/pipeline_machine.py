"""The rules by which the pipeline may be moved, for Hypothesis to choose from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from faults.pipeline import CALL_FAULTS, Faults, Pipeline
from faults.pipeline_replay import ANSWERS
from faults.pipeline_stream import Event
from faults.simulation import Subject

POISON = (b'{"event_id":"x"}', b"\xff\xfe", b'{"a":', b"[]", b'"\x00"', b"x" * 3_000)
_Line = tuple[int, int | None, bool]
_USERS = st.sampled_from([f"u{number}" for number in range(6)])
_AGES = st.sampled_from((None, None, 0, 3, 29, 31, 65, 130, 1_500))
"""Minutes between event and receipt; ``None`` when the client does not say."""
_LINES = st.lists(st.tuples(st.integers(0, 2), _AGES, st.booleans()), min_size=1, max_size=3)
_NUMBER = st.integers(0, 30)
_CALL = st.integers(0, 9)
_FAULTS = st.lists(st.tuples(_CALL, st.sampled_from(CALL_FAULTS)), min_size=1, max_size=4)
_CRASH = st.tuples(_CALL, st.sampled_from(CALL_FAULTS[:2]))
_SIZE = st.integers(1, 6)
_KILL = st.none() | st.integers(0, 40)


class PipelineMachine(RuleBasedStateMachine):
    """What may happen to the pipeline, in any order."""

    subject = Subject()
    has_index = False
    counts: ClassVar[Counter[str]] = Counter()
    """What happened in all runs together."""

    def __init__(self) -> None:
        super().__init__()
        self.pipeline = Pipeline(self.subject, self.has_index)
        self.sent: list[Event] = []
        self.ids = count()
        self.by_duckdb = False

    @initialize(
        by_duckdb=st.integers(0, 4),
        traffic=st.lists(st.tuples(_USERS, _LINES), min_size=2, max_size=8),
    )
    def set_up(self, by_duckdb: int, traffic: list[tuple[str, list[_Line]]]) -> None:
        self.by_duckdb = by_duckdb == 4
        for user, lines in traffic:
            self.send(user, lines)

    @rule(user=_USERS, lines=_LINES)
    def send_new(self, user: str, lines: list[_Line]) -> None:
        self.send(user, lines)

    def send(self, user: str, lines: list[_Line]) -> None:
        """Send events of one user in one record."""
        events = [self._event(user, *line) for line in lines]
        self.sent += events
        self.pipeline.send(events)

    @precondition(lambda self: self.sent)
    @rule(which=_NUMBER)
    def send_again(self, which: int) -> None:
        """Send an event under its id; what has no timestamp happens when it comes."""
        old, now = self.sent[-1 - which % len(self.sent)], self.pipeline.now
        at = old.at if old.stamped else now
        again = Event(
            *(old.event_id, old.event_type, old.user, at, now, old.is_error, old.latency_ms),
            stamped=old.stamped,
        )
        self.counts["sent again"] += 1
        self.counts["sent again at another hour"] += at.hour != old.at.hour
        self.pipeline.send([again])

    @rule(user=_USERS, ages=st.lists(_AGES, min_size=2, max_size=2))
    def send_twins(self, user: str, ages: list[int | None]) -> None:
        """Send one event twice in one request, as of two moments."""
        one = self._event(user, 1, ages[0], False)
        at = one.received_at - timedelta(minutes=ages[1] or 0)
        self.sent.append(one)
        self.pipeline.send([one, replace(one, at=at, stamped=ages[1] is not None)])
        self.counts["twins"] += 1

    @rule(user=_USERS, poison=st.sampled_from(POISON), age=_AGES, first=st.booleans())
    def send_poison(self, user: str, poison: bytes, age: int | None, first: bool) -> None:
        now = self.pipeline.now
        bad, good = Event("", "", user, now, now, poison=poison), self._event(user, 0, age, False)
        self.sent.append(good)
        self.pipeline.send([bad, good] if first else [good, bad])
        self.counts["poison"] += 1

    @rule(minutes=st.sampled_from((1, 20, 61, 200)))
    def wait(self, minutes: int) -> None:
        self.pipeline.now += timedelta(minutes=minutes)

    @precondition(lambda self: self.pipeline.stream.readable())
    @rule(which=_NUMBER, size=_SIZE, is_warm=st.booleans())
    def deliver(self, which: int, size: int, is_warm: bool) -> None:
        self._deliver(which, size, (), is_warm=is_warm, answer_lost=False)

    @precondition(lambda self: self.pipeline.stream.readable())
    @rule(which=_NUMBER, size=_SIZE, faults=_FAULTS, is_warm=st.booleans(), lost=st.booleans())
    def deliver_with_faults(
        self, which: int, size: int, faults: Faults, is_warm: bool, lost: bool
    ) -> None:
        self._deliver(which, size, faults, is_warm=is_warm, answer_lost=lost)

    @precondition(lambda self: self.pipeline.stream.readable())
    @rule(which=_NUMBER, size=_SIZE, crash=_CRASH)
    def deliver_and_crash(self, which: int, size: int, crash: tuple[int, str]) -> None:
        self._deliver(which, size, [crash], is_warm=True, answer_lost=False)

    @precondition(lambda self: any(shard.checkpoint for shard in self.pipeline.stream.shards))
    @rule(which=_NUMBER, begin=_NUMBER, size=_SIZE, faults=st.just([]) | _FAULTS)
    def deliver_again(self, which: int, begin: int, size: int, faults: Faults) -> None:
        shards = [shard for shard in self.pipeline.stream.shards if shard.checkpoint]
        self.pipeline.deliver_again(shards[which % len(shards)], begin, size, faults)

    @precondition(lambda self: any(shard.waiting for shard in self.pipeline.stream.shards))
    @rule()
    def bisect(self) -> None:
        self.counts["bisected"] += sum(s.bisect() for s in self.pipeline.stream.shards)

    @rule(which=_NUMBER, records=_SIZE)
    def regress(self, which: int, records: int) -> None:
        shards = self.pipeline.stream.shards
        self.counts["regressed"] += shards[which % len(shards)].regress(records)

    @rule(which=_NUMBER)
    def reshard(self, which: int) -> None:
        self.counts["split shards"] += self.pipeline.stream.split(which)

    @precondition(lambda self: self.pipeline.stream.readable())
    @rule(which=_NUMBER, size=_SIZE)
    def give_up(self, which: int, size: int) -> None:
        shards = self.pipeline.stream.readable()
        self.pipeline.give_up(shards[which % len(shards)], size)

    @precondition(lambda self: self.pipeline.replayer.waits)
    @rule(answer=st.sampled_from(ANSWERS), kill_after=_KILL)
    def replay(self, answer: str, kill_after: int | None) -> None:
        self.pipeline.replayer.run(self.pipeline.now, answer, kill_after)

    @rule(kill_after=_KILL)
    def aggregate(self, kill_after: int | None) -> None:
        self.pipeline.aggregate(kill_after)

    @precondition(lambda self: self.pipeline.late)
    @rule(which=_NUMBER)
    def land(self, which: int) -> None:
        self.pipeline.land(which)

    @invariant()
    def holds_at_each_step(self) -> None:
        self.judge(self.pipeline.faults_now())

    def teardown(self) -> None:
        """Let everything end, and compare what is stored with what was sent."""
        self.pipeline.drain()
        self.judge(self.pipeline.faults_at_the_end())
        if self.by_duckdb:
            self.pipeline.aggregator.run_all(self.pipeline.now)
            self.judge(self.pipeline.faults_at_the_end())
            self.counts["hours by DuckDB"] += len(self.pipeline.aggregator.results())
        self.counts["runs"] += 1
        self.counts["events"] += len(self.sent)
        for seen in (self.pipeline.seen, self.pipeline.world.seen, self.pipeline.replayer.seen):
            self.counts.update(seen)

    def judge(self, problems: Iterable[str]) -> None:
        """Fail with what is wrong, if anything is."""
        found = list(problems)
        assert not found, "\n".join(found)

    def _deliver(
        self, which: int, size: int, faults: Faults, *, is_warm: bool, answer_lost: bool
    ) -> None:
        shards = self.pipeline.stream.readable()
        shard = shards[which % len(shards)]
        self.pipeline.deliver(shard, size, faults, is_warm=is_warm, answer_lost=answer_lost)

    def _event(self, user: str, kind: int, age: int | None, is_error: bool) -> Event:
        now = self.pipeline.now
        at = now - timedelta(minutes=age or 0)
        return Event(
            *(f"e{next(self.ids)}", f"type-{kind}", user, at, now, is_error),
            latency_ms=12.5 * kind if kind else None,
            stamped=age is not None,
        )
