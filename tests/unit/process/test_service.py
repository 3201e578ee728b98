from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from common.domain.bad_lines import BadLine
from common.domain.hot import HotWindow, WindowKey
from common.errors import ConditionLostError, StoreError, ThrottledError
from common.ports.hot import Lost
from common.ports.lake import LakeObject
from fakes.hot import MemoryHotStore
from fakes.hours import MemoryHourMarks
from fakes.lake import MemoryLake
from fakes.process_builders import SHARD, a_record, an_event, sequence_of
from process.counters import HotCounters
from process.service import Deps, Outcome, process

LAST_HOUR = "2026-11-20T09:59:59.999Z"
LAST_WEEK = "2026-11-13T11:00:00.000Z"


class World:
    """The stores; ``fail`` names the step at which a dependency fails."""

    def __init__(self, *, fail: str | None = None, error: Exception | None = None) -> None:
        self.steps: list[str] = []
        self._fail, self._error = fail, error or StoreError("made to fail")
        self.lake, self.hours, self.hot = MemoryLake(), MemoryHourMarks(), MemoryHotStore()

    def deps(self) -> Deps:
        return Deps(self, self, HotCounters(self, max_types=8))

    def _step(self, name: str) -> None:
        self.steps.append(name)
        if name == self._fail:
            raise self._error

    def put_quarantine(self, lines: Sequence[BadLine]) -> None:
        self._step("quarantine")
        self.lake.put_quarantine(lines)

    def put_events(self, objects: Sequence[LakeObject]) -> None:
        self._step("lake")
        self.lake.put_events(objects)

    def raise_generation(self, hours: Sequence[datetime]) -> None:
        self._step("hours")
        self.hours.raise_generation(hours)

    def put(self, key: WindowKey, window: HotWindow, *, over: str | None) -> Lost | None:
        self._step("hot")
        return self.hot.put(key, window, over=over)


BATCH = [
    a_record(an_event(), at=0),
    a_record(an_event(timestamp=LAST_HOUR), b"poison", an_event(), at=1),
    a_record(an_event(timestamp=LAST_WEEK), at=2),
    a_record(an_event(), at=3),
]


def test_the_lake_comes_before_the_hour_marks_and_the_counters_last() -> None:
    world = World()

    outcome = process(BATCH, world.deps())

    assert world.steps == ["quarantine", "lake", "hours", "hot", "hot"]
    assert outcome == Outcome(events=5, quarantined=1)


def test_events_lie_in_one_object_per_hour_named_after_its_own_records() -> None:
    world = World()

    process(BATCH, world.deps())

    last_week, last_hour, now = sorted(world.lake.objects)
    name = f"events-{SHARD}"
    assert last_week == (
        f"events/year=2026/month=11/day=13/hour=11/{name}-{sequence_of(2)}-{sequence_of(2)}.parquet"
    )
    assert last_hour.endswith(f"hour=09/{name}-{sequence_of(1)}-{sequence_of(1)}.parquet")
    assert now.endswith(f"hour=10/{name}-{sequence_of(0)}-{sequence_of(3)}.parquet")
    assert [line.position.sequence for line in world.lake.objects[now]] == [
        sequence_of(at) for at in (0, 1, 3)
    ]


def test_every_hour_that_got_an_event_is_marked() -> None:
    world = World()

    process(BATCH, world.deps())

    assert world.hours.generations == {"2026-11-20T10": 1, "2026-11-20T09": 1, "2026-11-13T11": 1}


def test_an_old_event_touches_no_hot_window() -> None:
    world = World()

    process(BATCH, world.deps())

    assert sorted(pk for pk, _ in world.hot.windows) == ["HOT#2026-11-20T09", "HOT#2026-11-20T10"]


def test_a_poison_line_is_quarantined_and_its_neighbours_are_written() -> None:
    world = World()

    process(BATCH, world.deps())

    assert list(world.lake.quarantined) == [f"quarantine/events/{SHARD}/{sequence_of(1)}-1.json"]
    assert sum(len(lines) for lines in world.lake.objects.values()) == 5


def test_a_batch_of_nothing_but_poison_is_done() -> None:
    world = World()

    outcome = process([a_record(b"poison", b"more"), a_record(data="%", at=1)], world.deps())

    assert outcome == Outcome(events=0, quarantined=3)
    assert world.lake.objects == world.hours.generations == world.hot.windows == {}


def test_half_a_million_bad_lines_in_a_record_are_one_object_and_all_counted() -> None:
    world = World()

    outcome = process([a_record(b"x\n" * 499_999 + b"x")], world.deps())

    assert outcome == Outcome(events=0, quarantined=500_000)
    assert list(world.lake.quarantined) == [f"quarantine/events/{SHARD}/{sequence_of(0)}-0.json"]


def test_a_time_before_1970_marks_no_hour_and_stops_nobody() -> None:
    world = World()
    old = [an_event(timestamp=at) for at in ("0150-01-01T00:00:00Z", "1969-12-31T23:59:59Z")]

    outcome = process([a_record(*old, an_event())], world.deps())

    assert outcome == Outcome(events=1, quarantined=2)
    assert list(world.hours.generations) == ["2026-11-20T10"]


def test_no_records_are_done() -> None:
    assert process([], World().deps()) == Outcome(events=0, quarantined=0)


@pytest.mark.parametrize("stage", ["quarantine", "lake", "hours", "hot"])
@pytest.mark.parametrize(
    "error", [ThrottledError("slow"), StoreError("off"), ConditionLostError("x")]
)
def test_a_dependency_that_fails_stops_the_work_and_gives_the_whole_batch_back(
    stage: str, error: Exception
) -> None:
    world = World(fail=stage, error=error)

    outcome = process(BATCH, world.deps())

    assert outcome.retry_from == sequence_of(0)
    assert outcome.error is error
    assert world.steps[-1] == stage
    assert world.steps == ["quarantine", "lake", "hours", "hot"][: len(world.steps)]


def test_a_bug_fails_the_invocation() -> None:
    with pytest.raises(ZeroDivisionError):
        process(BATCH, World(fail="hours", error=ZeroDivisionError()).deps())


def test_a_second_delivery_leaves_the_same_world() -> None:
    world = World()
    process(BATCH, world.deps())
    before = (dict(world.lake.objects), dict(world.lake.quarantined), dict(world.hot.windows))

    process(BATCH, world.deps())

    assert (world.lake.objects, world.lake.quarantined, world.hot.windows) == before


def test_any_cut_of_the_batch_gives_the_same_counters_and_rows() -> None:
    whole = World()
    process(BATCH, whole.deps())

    for cut in range(1, len(BATCH)):
        world = World()
        for part in (BATCH[:cut], BATCH[cut:], BATCH):
            process(part, world.deps())
        assert world.hot.windows == whole.hot.windows
        assert _rows(world) == _rows(whole)


def _rows(world: World) -> set[tuple[Any, ...]]:
    return {
        (line.position, line.line, line.event.event_id)
        for lines in world.lake.objects.values()
        for line in lines
    }


def test_records_of_two_shards_are_kept_apart() -> None:
    world = World()

    process([a_record(an_event()), a_record(an_event(), at=1, shard="shardId-1")], world.deps())

    assert len(world.lake.objects) == len(world.hot.windows) == 2
