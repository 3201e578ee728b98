"""Sessions on moto, with faults below botocore's own retries."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

import boto3
import pytest
from moto import mock_aws

from common.adapters.calls import CLIENT_CONFIG
from common.adapters.session_items import person_of
from common.adapters.session_store import DynamoSessionStore
from common.domain.sessions import Person
from common.domain.timelines import Timeline
from common.observability import logger
from contract.tables import create_sessions_table
from fakes.aws_answers import skip_waits
from faults.cloud import Cloud
from faults.families import REGRESS, schedules
from faults.http_faults import KINDS, HttpFaults
from faults.mapping import Lane
from faults.session_traffic import RULES, expected_timelines, of_the_stream, random_visits
from faults.traffic import STREAM, Sent, Sequences
from faults.world import Crash
from process.service import Deps, process
from process.sessions import Sessions

_RECORDS = 8
_MOST_DELIVERIES = 2_000


@dataclass
class SessionCloud(Cloud):
    """The same with a table of sessions."""

    @property
    def sessions(self) -> str:
        return f"sessions-{self.number}"

    def renew(self) -> None:
        super().renew()
        create_sessions_table(self.dynamodb, self.sessions)

    def environment(self) -> Deps:
        store = DynamoSessionStore(self.dynamodb, self.sessions, RULES)
        return replace(super().environment(), sessions=Sessions(store, RULES))

    def timelines(self) -> dict[Person, Timeline]:
        items = self.dynamodb.scan(TableName=self.sessions)["Items"]
        return {stored.person: stored.timeline for stored in map(person_of, items)}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[SessionCloud]:
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
        yield SessionCloud(s3, dynamodb, faults)
    logger.setLevel(level)


def _send(rng: Random) -> dict[str, list[Sent]]:
    """Spread the records of one bucket of people over a shard and the one it splits into."""
    sequences, shards = Sequences(rng), dict[str, list[Sent]]()
    for number in range(_RECORDS):
        shard = f"shardId-{int(number >= _RECORDS / 2):012d}"
        visits = random_visits(rng, number, 0)
        one = of_the_stream(STREAM, shard, sequences.next(), 0, visits)
        shards.setdefault(shard, []).append(one)
    return shards


def _run(cloud: SessionCloud, rng: Random, rate: float) -> list[Sent]:
    """Deliver until all is done; which shard comes next is drawn by lot, as is who takes it."""
    cloud.renew()
    shards = _send(rng)
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
        if outcome.retry_from:
            cloud.counts["given back"] += 1
            lane.failed(delivery)
        else:
            lane.succeeded(delivery)
    assert all(lane.finished for lane in lanes)
    cloud.faults.rng = None
    return [one for records in shards.values() for one in records]


def test_sessions_are_exact_through_botocores_own_retries(cloud: SessionCloud) -> None:
    for number in range(schedules(40, at_most=500)):
        rng = Random(f"sessions-http/{number}")
        sent = _run(cloud, rng, (0.01, 0.03)[number % 2])

        assert cloud.timelines() == expected_timelines(sent, RULES)
    assert {kind for kind in KINDS if not cloud.faults.counts[kind]} == set()
    assert cloud.counts["given back"] > 0
