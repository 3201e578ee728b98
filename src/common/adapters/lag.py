"""How far the stream's reader lags behind, from the metrics that AWS keeps of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from common.adapters.calls import our_errors
from common.ports.lag import Lag, LagReader, slowest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import DatapointTypeDef

_LOOK_BACK = timedelta(minutes=5)
_PERIOD_S = 60


class CloudWatchLag(LagReader):
    """The greater of two metrics, since each is silent at times.

    Lambda's ``IteratorAge`` is published per invocation, so not while nothing comes in. Kinesis'
    ``GetRecords.IteratorAgeMilliseconds`` is published per read, so not while a batch is retried.
    A data point is worth as much as the start of its period: of the rest it may have seen nothing.
    When both are silent, time stands still here, however small the ages before were.
    """

    def __init__(self, client: CloudWatchClient, function_name: str, stream_name: str) -> None:
        self._client = client
        self._metrics = (
            ("AWS/Lambda", "IteratorAge", "FunctionName", function_name),
            ("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "StreamName", stream_name),
        )

    def read(self, now: datetime) -> Lag | None:
        points = [point for metric in self._metrics for point in self._points(*metric, now)]
        if not points:
            return None
        newest = max(point["Timestamp"] for point in points)
        seen_at = newest.astimezone(UTC).replace(second=0, microsecond=0)
        age_ms = max(point["Maximum"] for point in points)
        return Lag(seen_at, timedelta(milliseconds=age_ms))

    def _points(
        self, namespace: str, name: str, dimension: str, value: str, now: datetime
    ) -> list[DatapointTypeDef]:
        with our_errors("cloudwatch:GetMetricStatistics"):
            answer = self._client.get_metric_statistics(
                Namespace=namespace,
                MetricName=name,
                Dimensions=[{"Name": dimension, "Value": value}],
                # A whole minute, so that the periods are the minutes.
                StartTime=(now - _LOOK_BACK).replace(second=0, microsecond=0),
                EndTime=now,
                Period=_PERIOD_S,
                Statistics=["Maximum"],
            )
        return answer["Datapoints"]


class LagOfEveryFlow(LagReader):
    """The lag of the flow that is furthest behind: an hour is over when every stream is drained.

    A flow whose reader is silent makes the whole unknown. It may hold events of any hour.
    """

    def __init__(self, flows: Sequence[LagReader]) -> None:
        self._flows = tuple(flows)

    def read(self, now: datetime) -> Lag | None:
        return slowest([flow.read(now) for flow in self._flows])
