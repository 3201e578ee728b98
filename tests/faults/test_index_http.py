"""The event index on moto, with faults below botocore's own retries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

import pytest

from common.adapters.event_index import DynamoEventIndex
from contract.tables import create_event_index_table
from faults.cloud import Cloud, in_the_cloud
from faults.families import REGRESS, schedules
from faults.index_simulation import RULES, Sending, random_sendings
from faults.mapping import Lane
from faults.summary import Figures
from faults.traffic import LineId, Sent, Sequences
from process.index import EventIndex
from process.service import Deps, process

_RECORDS = 8


@dataclass
class IndexCloud(Cloud):
    """The same with a table of events."""

    @property
    def index(self) -> str:
        return f"events-{self.number}"

    def renew(self) -> None:
        super().renew()
        create_event_index_table(self.dynamodb, self.index)

    def environment(self) -> Deps:
        store = DynamoEventIndex(self.dynamodb, self.index, RULES)
        return replace(super().environment(), index=EventIndex(store, RULES))

    def counted(self) -> int:
        return sum(of.count for one in self.windows().values() for of in one.types.values())


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexCloud]:
    with in_the_cloud(IndexCloud, monkeypatch) as cloud:
        yield cloud


def _run(cloud: IndexCloud, rng: Random, rate: float) -> dict[LineId, Sending]:
    """Deliver two shards until all is done, and return the lines that were sent."""
    cloud.renew()
    sequences = Sequences(rng)
    shards: dict[str, list[Sent]] = {f"shardId-{number:012d}": [] for number in range(2)}
    for number in range(_RECORDS):
        shard = rng.choice(list(shards))
        one = Sent.of(shard, sequences.next(), 0, random_sendings(rng, number))  # type: ignore[arg-type]
        shards[shard].append(one)

    def invoke(batch: Sequence[Sent], environment: Deps) -> bool:
        outcome = process([one.record for one in batch], environment)
        cloud.counts["deduplicated"] += outcome.deduplicated
        return outcome.retry_from is None

    cloud.deliver([Lane(each, REGRESS.mapping, rng) for each in shards.values()], rng, rate, invoke)
    return {
        (one.shard, one.sequence, number): line  # type: ignore[misc]
        for same in shards.values()
        for one in same
        for number, line in enumerate(one.lines)
        if line.poison is None
    }


def test_events_sent_again_count_once_through_botocores_own_retries(
    cloud: IndexCloud, figures: Figures
) -> None:
    runs = schedules(25, at_most=500)
    for number in range(runs):
        sent = _run(cloud, Random(f"index-http/{number}"), (0.01, 0.03)[number % 2])

        hours, rows = cloud.hours(), cloud.rows()
        assert set(hours) == {line.event_id for line in sent.values()}
        assert [event_id for event_id, found in hours.items() if len(found) > 1] == []
        assert cloud.counted() == sum(sent[row].is_hot for row in rows)
    figures.family("moto under botocore's retries: event index", runs, 0, cloud.note())
    assert cloud.kinds_short_of(1) == {}
    assert cloud.counts["given back"] > 0
    assert cloud.counts["deduplicated"] > 0
