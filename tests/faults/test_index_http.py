"""The event index on moto, with faults below botocore's own retries."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

import boto3
import pyarrow.parquet as pq
import pytest
from moto import mock_aws

from common.adapters.calls import CLIENT_CONFIG
from common.adapters.event_index import DynamoEventIndex
from common.observability import logger
from contract.tables import create_event_index_table
from fakes.aws_answers import skip_waits
from faults.cloud import Cloud
from faults.families import REGRESS, schedules
from faults.http_faults import KINDS, HttpFaults
from faults.index_simulation import RULES, random_sendings
from faults.mapping import Lane
from faults.traffic import Sent, Sequences
from faults.world import Crash
from process.index import EventIndex
from process.service import Deps, process

_RECORDS = 8
_MOST_DELIVERIES = 2_000


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

    def hours(self) -> dict[str, set[str]]:
        """Read which hours of the lake have an event, copies dropped."""
        hours: dict[str, set[str]] = defaultdict(set)
        for key in self.objects("events/"):
            body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            for event_id in pq.read_table(io.BytesIO(body), columns=["event_id"])[0].to_pylist():
                hours[event_id].add(key.rpartition("/")[0])
        return hours

    def counted(self) -> int:
        return sum(of.count for one in self.windows().values() for of in one.types.values())


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexCloud]:
    skip_waits(monkeypatch)
    monkeypatch.setattr("sys.stdout", io.StringIO())
    level = logger.log_level
    logger.setLevel("ERROR")
    faults = HttpFaults()
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1", config=CLIENT_CONFIG)
        dynamodb = boto3.client("dynamodb", region_name="us-east-1", config=CLIENT_CONFIG)
        faults.install(s3)
        faults.install(dynamodb)
        yield IndexCloud(s3, dynamodb, faults)
    logger.setLevel(level)


def _run(cloud: IndexCloud, rng: Random, rate: float) -> set[str]:
    """Deliver two shards until all is done, and return the ids of what was sent."""
    cloud.renew()
    sequences, shards = Sequences(rng), dict[str, list[Sent]]()
    for number in range(_RECORDS):
        shard = f"shardId-{rng.randrange(2):012d}"
        one = Sent.of(shard, sequences.next(), 0, random_sendings(rng, number))  # type: ignore[arg-type]
        shards.setdefault(shard, []).append(one)
    lanes = [Lane(records, REGRESS.mapping, rng) for records in shards.values()]
    environments = [cloud.environment(), cloud.environment()]
    cloud.faults.rng, cloud.faults.rate = rng, rate
    for _ in range(_MOST_DELIVERIES):
        open_lanes = [lane for lane in lanes if not lane.finished]
        if not open_lanes:
            break
        lane, which = rng.choice(open_lanes), rng.randrange(2)
        delivery = lane.next()
        records = [one.record for one in lane.records[slice(*delivery.span)]]
        try:
            outcome = process(records, environments[which])
        except Crash:
            environments[which] = cloud.environment()
            lane.failed(delivery)
            continue
        cloud.counts["deduplicated"] += outcome.deduplicated
        if outcome.retry_from:
            cloud.counts["given back"] += 1
            lane.failed(delivery)
        else:
            lane.succeeded(delivery)
    assert all(lane.finished for lane in lanes)
    cloud.faults.rng = None
    lines = [line for same in shards.values() for one in same for line in one.lines]
    return {line.event_id for line in lines if line.poison is None}


def test_events_sent_again_count_once_through_botocores_own_retries(cloud: IndexCloud) -> None:
    for number in range(schedules(25, at_most=500)):
        sent = _run(cloud, Random(f"index-http/{number}"), (0.01, 0.03)[number % 2])

        hours = cloud.hours()
        assert set(hours) == sent
        assert [event_id for event_id, found in hours.items() if len(found) > 1] == []
        assert cloud.counted() == len(sent)
    assert {kind for kind in KINDS if not cloud.faults.counts[kind]} == set()
    assert cloud.counts["given back"] > 0
    assert cloud.counts["deduplicated"] > 0
