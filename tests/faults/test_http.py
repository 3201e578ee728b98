"""The function's handler on moto, with faults below botocore's own retries."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

import boto3
import pytest
from moto import mock_aws

import process.handler as function
from common.adapters.calls import CLIENT_CONFIG, our_errors
from common.domain.decode import StreamLine
from common.domain.hot import by_window
from common.observability import logger, metrics
from fakes.aws_answers import skip_waits
from faults.cloud import MAX_TYPES, Cloud
from faults.families import REGRESS, schedules
from faults.http_faults import KINDS, HttpFaults
from faults.mapping import Lane, Mapping
from faults.traffic import Expected, Sent, Sequences, expected, random_lines
from faults.world import Crash

_RECORDS = 6
_MOST_DELIVERIES = 1_000
"""Enough for any schedule whose work ends at all."""


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    skip_waits(monkeypatch)
    monkeypatch.setattr("sys.stdout", io.StringIO())
    monkeypatch.setattr(metrics, "namespace", "EventStream")
    level = logger.log_level
    logger.setLevel("ERROR")
    faults = HttpFaults()
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1", config=CLIENT_CONFIG)
        dynamodb = boto3.client("dynamodb", region_name="us-east-1", config=CLIENT_CONFIG)
        faults.install(s3)
        faults.install(dynamodb)
        yield Cloud(s3, dynamodb, faults)
    logger.setLevel(level)


class _Context:
    function_name = "process"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:process"
    aws_request_id = "request"


def _run(
    cloud: Cloud, name: str, how: Mapping, rate: float, monkeypatch: pytest.MonkeyPatch
) -> Expected:
    """Deliver random traffic of one shard until all of it is done."""
    cloud.renew()
    rng = Random(name)
    sequences = Sequences(rng)
    sent = [
        Sent.of("shardId-000000000000", sequences.next(), 0, random_lines(rng, number, types=4))
        for number in range(_RECORDS)
    ]
    lane = Lane(sent, how, rng)
    environment = cloud.environment()
    cloud.faults.rng, cloud.faults.rate = rng, rate
    for _ in range(_MOST_DELIVERIES):
        if lane.finished:
            break
        delivery = lane.next()
        records = [one.record for one in sent[slice(*delivery.span)]]
        monkeypatch.setattr(function, "deps", lambda environment=environment: environment)
        try:
            answer: Any = function.lambda_handler({"Records": records}, _Context())
        except Crash:
            lane.failed(delivery)
            environment = cloud.environment()
            continue
        failures = answer["batchItemFailures"]
        if failures:
            cloud.counts["given back"] += 1
            assert failures == [{"itemIdentifier": sent[delivery.span[0]].sequence}]
            lane.failed(delivery)
        else:
            lane.succeeded(delivery)
    assert lane.finished
    cloud.faults.rng = None
    return expected(sent, max_types=MAX_TYPES)


def test_the_handler_is_exact_through_botocores_own_retries(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(schedules(100, at_most=500)):
        rate = (0.01, 0.03)[number % 2]
        truth = _run(cloud, f"http/{number}", REGRESS.mapping, rate, monkeypatch)

        assert cloud.windows() == truth.windows
        assert cloud.rows() == truth.rows
        assert set(cloud.objects("quarantine/")) == truth.quarantined
        assert cloud.hours_changed_after_their_mark() == set()
    assert {kind for kind in KINDS if not cloud.faults.counts[kind]} == set()
    assert cloud.counts["given back"] > 0


class _AddsBlindly:
    """Adds to counters with DynamoDB's ADD, as one would without thinking of retries."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def add(self, lines: Iterable[StreamLine]) -> None:
        for key, records in by_window(lines).items():
            added = sum(len(record.samples) for record in records)
            with our_errors("dynamodb:UpdateItem"):
                self._cloud.dynamodb.update_item(
                    TableName=self._cloud.hot,
                    Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}},
                    UpdateExpression="ADD n :n",
                    ExpressionAttributeValues={":n": {"N": str(added)}},
                )


def test_a_blind_add_counts_twice_by_the_sdks_retries_alone(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.counters = _AddsBlindly
    cloud.faults.kinds = ("answer lost", "500, applied")
    wrong, runs = 0, schedules(20, at_most=100)

    for number in range(runs):
        truth = _run(cloud, f"blind/{number}", Mapping(), 0.1, monkeypatch)
        lines = sum(of.count for window in truth.windows.values() for of in window.types.values())
        items = cloud.dynamodb.scan(TableName=cloud.hot)["Items"]
        wrong += sum(int(item["n"]["N"]) for item in items) > lines

    assert wrong > runs / 2
    assert cloud.faults.counts["crashed before"] == cloud.faults.counts["crashed after"] == 0
