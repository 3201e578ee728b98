"""One stream that reshards as Kinesis does: a parent is closed, and ends for whoever reads it."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass
class _Shard:
    parents: tuple[str, ...] = ()
    records: list[dict[str, Any]] = field(default_factory=list)
    closed: bool = False


class FakeKinesis:
    """The calls that the poller makes, on one stream; producers choose the shard."""

    def __init__(self) -> None:
        self.shards = {"shard-0": _Shard()}
        self._lock = threading.Lock()
        self._next = 1

    def put(self, shard: str, data: str, arrived_at_s: float | None = None) -> None:
        arrived = datetime.fromtimestamp(arrived_at_s or time.time(), UTC)
        with self._lock:
            assert not self.shards[shard].closed
            self.shards[shard].records.append(
                {
                    "SequenceNumber": f"{self._next:056d}",
                    "PartitionKey": "k",
                    "Data": data.encode(),
                    "ApproximateArrivalTimestamp": arrived,
                }
            )
            self._next += 1

    def split(self, shard: str, *children: str) -> None:
        with self._lock:
            self.shards[shard].closed = True
            for child in children:
                self.shards[child] = _Shard(parents=(shard,))

    def describe_stream_summary(self, **_: Any) -> dict[str, Any]:
        return {"StreamDescriptionSummary": {"RetentionPeriodHours": 24}}

    def get_paginator(self, operation: str) -> "FakeKinesis":
        assert operation == "list_shards"
        return self

    def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
        with self._lock:
            yield {"Shards": [self._listed(name) for name in self.shards]}

    def get_shard_iterator(self, ShardId: str, **request: Any) -> dict[str, Any]:  # noqa: N803 - boto3's names
        with self._lock:
            records = self.shards[ShardId].records
        after, since_s = request.get("StartingSequenceNumber", ""), request.get("Timestamp", 0)
        skipped = [
            each["SequenceNumber"] <= after
            or each["ApproximateArrivalTimestamp"].timestamp() < since_s
            for each in records
        ]
        return {"ShardIterator": f"{ShardId}:{sum(skipped)}"}

    def get_records(self, ShardIterator: str, Limit: int, **_: Any) -> dict[str, Any]:  # noqa: N803
        name, start = ShardIterator.split(":")
        with self._lock:
            shard = self.shards[name]
            found = shard.records[int(start) : int(start) + Limit]
            more = int(start) + len(found) < len(shard.records)
            ended = shard.closed and not more
        return {
            "Records": found,
            "NextShardIterator": None if ended else "next",
            "MillisBehindLatest": 5 if more else 0,
        }

    def _listed(self, name: str) -> dict[str, Any]:
        shard = self.shards[name]
        span = {"StartingSequenceNumber": "0"}
        if shard.closed:
            span["EndingSequenceNumber"] = "9" * 56
        parents = dict(zip(("ParentShardId", "AdjacentParentShardId"), shard.parents, strict=False))
        return {"ShardId": name, "SequenceNumberRange": span, **parents}
