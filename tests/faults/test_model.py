"""The stores in memory and those on moto, side by side: what the long suites run on is a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from common.adapters.hot_store import DynamoHotStore
from common.domain.hot import HotWindow, WindowKey
from common.ports.hot import HotStore, Lost
from fakes.hot import MemoryHotStore
from fakes.hours import MemoryHourMarks
from fakes.lake import MemoryLake
from faults.cloud import MAX_TYPES, RETENTION, Cloud, in_the_cloud
from faults.families import REGRESS, schedules
from faults.mapping import Lane
from faults.summary import Figures
from faults.traffic import Sent, Sequences, random_lines
from faults.world import Crash
from process.counters import HotCounters
from process.service import Deps, process

_RECORDS = 8
_FATES = ("crashed before", "crashed after", "applied", "applied", "applied", "applied")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with in_the_cloud(Cloud, monkeypatch) as cloud:
        yield cloud


class Crashing(HotStore):
    """Lets its caller die at writes that are drawn by lot, the same in both worlds."""

    def __init__(self, store: HotStore) -> None:
        self._store = store
        self.lots = Random()

    def put(self, key: WindowKey, window: HotWindow, *, over: str | None) -> Lost | None:
        fate = self.lots.choice(_FATES)
        if fate == "crashed before":
            raise Crash
        lost = self._store.put(key, window, over=over)
        if fate == "crashed after":
            raise Crash
        return lost


class Side:
    """One of the two worlds: environments that remember something, and stores that fail alike."""

    def __init__(self, stores: Deps, hot: HotStore) -> None:
        self._stores, self._hot = stores, Crashing(hot)
        self._deps = self._environment()

    def deliver(self, batch: list[Sent], name: str) -> str:
        """Return what became of a batch."""
        self._hot.lots = Random(name)
        try:
            outcome = process([one.record for one in batch], self._deps)
        except Crash:
            self._deps = self._environment()
            return "crashed"
        return outcome.retry_from or "done"

    def _environment(self) -> Deps:
        return replace(self._stores, counters=HotCounters(self._hot, max_types=MAX_TYPES))


def _generations(cloud: Cloud) -> dict[str, int]:
    items = cloud.dynamodb.scan(TableName=cloud.aggregates)["Items"]
    return {item["sk"]["S"].removeprefix("HOUR#"): int(item["gen"]["N"]) for item in items}


def _run(cloud: Cloud, name: str) -> None:
    """Deliver the same batches to both, and compare what they hold after each."""
    cloud.renew()
    rng = Random(name)
    sequences, shard = Sequences(rng), "shardId-000000000000"
    lane = Lane(
        [
            Sent.of(shard, sequences.next(), 0, random_lines(rng, number, types=4))
            for number in range(_RECORDS)
        ],
        REGRESS.mapping,
        rng,
    )
    lake, hours, windows = MemoryLake(), MemoryHourMarks(), MemoryHotStore()
    memory = Side(Deps(lake, hours, HotCounters(windows, max_types=MAX_TYPES)), windows)
    moto = Side(cloud.environment(), DynamoHotStore(cloud.dynamodb, cloud.hot, RETENTION))
    while not lane.finished:
        delivery = lane.next()
        batch, lots = lane.records[slice(*delivery.span)], f"{name}/{rng.random()}"

        became = memory.deliver(batch, lots)
        assert moto.deliver(batch, lots) == became
        assert cloud.windows() == windows.windows

        cloud.counts[became] += 1
        (lane.succeeded if became == "done" else lane.failed)(delivery)
    assert _generations(cloud) == hours.generations
    assert set(cloud.objects("events/")) == set(lake.objects)
    assert set(cloud.objects("quarantine/")) == set(lake.quarantined)


def test_memory_and_moto_hold_the_same_after_every_delivery(cloud: Cloud, figures: Figures) -> None:
    runs = schedules(20, at_most=200)
    for number in range(runs):
        _run(cloud, f"model/{number}")

    figures.family(
        "memory beside moto, after every delivery",
        *(runs, 0),
        note=f"{cloud.counts['done']:,} done, {cloud.counts['crashed']:,} crashed",
    )
    assert cloud.counts["crashed"] > runs
