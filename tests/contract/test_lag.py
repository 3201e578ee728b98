"""How the stream's lag is read from the metrics that AWS publishes of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from common.adapters.lag import CloudWatchLag, LagOfEveryFlow
from common.ports.lag import Lag

NOW = datetime.now(UTC).replace(second=30, microsecond=0)


class Metrics:
    def __init__(self) -> None:
        self.client: Any = boto3.client("cloudwatch", region_name="eu-central-1")
        self.lag = CloudWatchLag(self.client, "process-1", "stream-1")

    def lambda_age(self, ms: float, minutes_ago: float, function: str = "process-1") -> None:
        dimension = {"Name": "FunctionName", "Value": function}
        self._put("AWS/Lambda", "IteratorAge", dimension, ms, minutes_ago)

    def kinesis_age(self, ms: float, minutes_ago: float, stream: str = "stream-1") -> None:
        name = "GetRecords.IteratorAgeMilliseconds"
        dimension = {"Name": "StreamName", "Value": stream}
        self._put("AWS/Kinesis", name, dimension, ms, minutes_ago)

    def _put(
        self, namespace: str, name: str, dimension: Any, ms: float, minutes_ago: float
    ) -> None:
        datum = {
            "MetricName": name,
            "Dimensions": [dimension],
            "Timestamp": NOW - timedelta(minutes=minutes_ago),
            "Value": ms,
            "Unit": "Milliseconds",
        }
        self.client.put_metric_data(Namespace=namespace, MetricData=[datum])


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    with mock_aws():
        yield Metrics()


def test_no_data_is_no_lag_known(metrics: Metrics) -> None:
    metrics.lambda_age(5, minutes_ago=30)
    metrics.lambda_age(5, minutes_ago=1, function="another")
    metrics.kinesis_age(5, minutes_ago=1, stream="another")

    assert metrics.lag.read(NOW) is None


def minute(minutes_ago: float) -> datetime:
    """Return the start of the minute that a data point of so long ago lies in."""
    return (NOW - timedelta(minutes=minutes_ago)).replace(second=0)


def test_the_greatest_of_the_last_minutes_counts(metrics: Metrics) -> None:
    metrics.lambda_age(9000, minutes_ago=3)
    metrics.lambda_age(10, minutes_ago=1)
    metrics.kinesis_age(800, minutes_ago=1)

    assert metrics.lag.read(NOW) == Lag(minute(1), timedelta(seconds=9))


def test_a_stream_that_is_read_but_brings_nothing_has_no_lag(metrics: Metrics) -> None:
    metrics.kinesis_age(0, minutes_ago=1)

    assert metrics.lag.read(NOW) == Lag(minute(1), timedelta(0))


def test_a_batch_that_is_retried_while_nothing_is_read_shows_its_age(metrics: Metrics) -> None:
    metrics.lambda_age(3_600_000, minutes_ago=2)

    assert metrics.lag.read(NOW) == Lag(minute(2), timedelta(hours=1))


def test_what_was_seen_before_a_silence_says_nothing_of_the_time_after_it(
    metrics: Metrics,
) -> None:
    metrics.lambda_age(0, minutes_ago=4)
    metrics.kinesis_age(0, minutes_ago=3)

    assert metrics.lag.read(NOW) == Lag(minute(3), timedelta(0))


def test_one_metric_that_goes_on_is_enough(metrics: Metrics) -> None:
    metrics.lambda_age(200, minutes_ago=4)
    metrics.kinesis_age(0, minutes_ago=0.25)

    assert metrics.lag.read(NOW) == Lag(minute(0.25), timedelta(milliseconds=200))


def flows(metrics: Metrics) -> LagOfEveryFlow:
    second = CloudWatchLag(metrics.client, "process-2", "stream-2")
    return LagOfEveryFlow([metrics.lag, second])


def test_the_stream_that_is_furthest_behind_speaks_for_all(metrics: Metrics) -> None:
    metrics.lambda_age(0, minutes_ago=1)
    metrics.lambda_age(1_800_000, minutes_ago=1, function="process-2")

    assert flows(metrics).read(NOW) == Lag(minute(1), timedelta(minutes=30))


def test_a_stream_that_was_seen_earlier_holds_the_others_back(metrics: Metrics) -> None:
    metrics.kinesis_age(0, minutes_ago=1)
    metrics.kinesis_age(0, minutes_ago=4, stream="stream-2")

    assert flows(metrics).read(NOW) == Lag(minute(4), timedelta(0))


@pytest.mark.parametrize("silent", ["stream-1", "stream-2"])
def test_while_one_stream_is_silent_nothing_is_known_of_any(silent: str, metrics: Metrics) -> None:
    for stream in {"stream-1", "stream-2"} - {silent}:
        metrics.kinesis_age(0, minutes_ago=1, stream=stream)

    assert flows(metrics).read(NOW) is None
