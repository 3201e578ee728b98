"""The iterator age: never less than the age of what isn't done."""

from __future__ import annotations

import threading
import time
from typing import Any

from eventstream.local.iterator_age import IteratorAge
from fakes.kinesis_stream import KEY_RANGE, KinesisStream
from functional.poller.laptop import Records, Running, data_of, eventually

FUNCTION = ("AWS/Lambda", "IteratorAge", "FunctionName", "process")
STREAM = ("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "StreamName", "events")


class FakeCloudWatch:
    def __init__(self) -> None:
        self.published: dict[tuple[str, ...], float] = {}

    def put_metric_data(self, Namespace: str, MetricData: list[dict[str, Any]]) -> None:  # noqa: N803
        [datum] = MetricData
        [dimension] = datum["Dimensions"]
        assert datum["Unit"] == "Milliseconds"
        name = (Namespace, datum["MetricName"], dimension["Name"], dimension["Value"])
        self.published[name] = datum["Value"]


def published(running: Running) -> dict[tuple[str, ...], float]:
    cloudwatch = FakeCloudWatch()
    IteratorAge(cloudwatch, [running.poller])._publish(running.poller)
    return cloudwatch.published


def test_both_metrics_show_the_oldest_record_that_is_not_done_in_any_shard() -> None:
    released = threading.Event()

    def slow(records: Records) -> None:
        if data_of(records[0]) == "old":
            released.wait(30)

    stream = KinesisStream(shards=2)
    left, _ = stream.open()
    stream.put_to(left, "old", time.time() - 120)
    with Running(slow, stream) as running:
        stream.put("young", KEY_RANGE - 1)
        eventually(lambda: set(running.data) == {"old", "young"})
        ages = published(running)
        released.set()
        eventually(lambda: published(running).get(FUNCTION) == 0)
        drained = published(running)

    assert set(ages) == {FUNCTION, STREAM}
    assert all(120_000 <= age < 150_000 for age in ages.values())
    assert drained == {FUNCTION: 0, STREAM: 0}
