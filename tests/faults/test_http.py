"""The function's handler on moto, with faults below botocore's own retries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Any

import pytest

import process.handler as function
from common.adapters.calls import our_errors
from common.domain.decode import StreamLine
from common.domain.hot import by_window
from common.observability import metrics
from faults.cloud import MAX_TYPES, Cloud, in_the_cloud
from faults.families import REGRESS, schedules
from faults.mapping import Lane, Mapping
from faults.summary import Figures
from faults.traffic import Expected, Sent, Sequences, expected, random_lines
from process.service import Deps

_RECORDS = 6
_ENOUGH = 50
"""How often each kind of fault must happen in 500 schedules."""


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.setattr(metrics, "namespace", "EventStream")
    with in_the_cloud(Cloud, monkeypatch) as cloud:
        yield cloud


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

    def invoke(batch: Sequence[Sent], environment: Deps) -> bool:
        monkeypatch.setattr(function, "deps", lambda: environment)
        event = {"Records": [one.record for one in batch]}
        answer: Any = function.lambda_handler(event, _Context())
        failures = answer["batchItemFailures"]
        assert failures in ([], [{"itemIdentifier": batch[0].sequence}])
        return not failures

    cloud.deliver([Lane(sent, how, rng)], rng, rate, invoke)
    return expected(sent, max_types=MAX_TYPES)


def test_the_handler_is_exact_through_botocores_own_retries(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, figures: Figures
) -> None:
    runs = schedules(60, at_most=500)
    for number in range(runs):
        rate = (0.01, 0.03)[number % 2]
        truth = _run(cloud, f"http/{number}", REGRESS.mapping, rate, monkeypatch)

        assert cloud.windows() == truth.windows
        assert cloud.rows() == truth.rows
        assert set(cloud.objects("quarantine/")) == truth.quarantined
        assert cloud.hours_changed_after_their_mark() == set()
    figures.family("moto under botocore's retries: the handler", runs, 0, cloud.note())
    assert cloud.kinds_short_of(_ENOUGH * runs // 500) == {}
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
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, figures: Figures
) -> None:
    cloud.counters = _AddsBlindly
    cloud.faults.kinds = ("answer lost", "500, applied")
    wrong, runs = 0, schedules(20, at_most=100)

    for number in range(runs):
        truth = _run(cloud, f"blind/{number}", Mapping(), 0.1, monkeypatch)
        lines = sum(of.count for window in truth.windows.values() for of in window.types.values())
        items = cloud.dynamodb.scan(TableName=cloud.hot)["Items"]
        wrong += sum(int(item["n"]["N"]) for item in items) > lines

    assert cloud.faults.counts["crashed before"] == cloud.faults.counts["crashed after"] == 0
    figures.control("naive ADD on moto, by the SDK's retries alone", wrong, runs, more_than=0.5)
