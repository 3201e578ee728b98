"""How far the stream's reader lags behind, from the metrics that AWS keeps of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from common.adapters.calls import our_errors
from common.ports.lag import LagReader

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

_LOOK_BACK = timedelta(minutes=5)
_PERIOD_S = 60


class CloudWatchLag(LagReader):
    """The greater of two metrics, since each is silent at times.

    Lambda's ``IteratorAge`` is published per invocation, so not while nothing comes in. Kinesis'
    ``GetRecords.IteratorAgeMilliseconds`` is published per read, so not while a batch is retried.
    """

    def __init__(self, client: CloudWatchClient, function_name: str, stream_name: str) -> None:
        self._client = client
        self._metrics = (
            ("AWS/Lambda", "IteratorAge", "FunctionName", function_name),
            ("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "StreamName", stream_name),
        )

    def iterator_age(self, now: datetime) -> timedelta | None:
        ages = [age for metric in self._metrics for age in self._ages_ms(*metric, now)]
        return timedelta(milliseconds=max(ages)) if ages else None

    def _ages_ms(
        self, namespace: str, name: str, dimension: str, value: str, now: datetime
    ) -> list[float]:
        with our_errors("cloudwatch:GetMetricStatistics"):
            answer = self._client.get_metric_statistics(
                Namespace=namespace,
                MetricName=name,
                Dimensions=[{"Name": dimension, "Value": value}],
                StartTime=now - _LOOK_BACK,
                EndTime=now,
                Period=_PERIOD_S,
                Statistics=["Maximum"],
            )
        return [point["Maximum"] for point in answer["Datapoints"]]
