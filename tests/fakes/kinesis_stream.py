"""One stream that reshards as Kinesis does: a parent is closed, stays listed, and ends for readers.

Source: "Complete the resharding action" in the Kinesis Data Streams developer guide. Only the
calls that the poller makes are here, and those that change the shards.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

KEY_RANGE = 2**128
_FIRST_SEQUENCE = 49654321098765432109876543210987654321098765432109876546


@dataclass
class Shard:
    """A shard and its share of the hash keys, ``[start, end)``."""

    start: int
    end: int
    parents: tuple[str, ...] = ()
    records: list[dict[str, Any]] = field(default_factory=list)
    closed: bool = False


class KinesisStream:
    """Safe to be used by many threads."""

    def __init__(
        self, shards: int = 1, *, now_s: Callable[[], float] = time.time, retention_h: int = 24
    ) -> None:
        self.shards: dict[str, Shard] = {}
        self.reads = 0
        self._lock = threading.RLock()
        self._now_s = now_s
        self._retention_h = retention_h
        self._sequence = _FIRST_SEQUENCE
        for at in range(shards):
            self._add(KEY_RANGE * at // shards, KEY_RANGE * (at + 1) // shards)

    def put(self, data: str | bytes, hash_key: int = 0) -> tuple[str, str]:
        """Put a record; return its shard and its sequence number."""
        with self._lock:
            name = next(one for one in self.open() if hash_key < self.shards[one].end)
            return name, self.put_to(name, data)

    def put_to(self, shard: str, data: str | bytes, arrived_at_s: float | None = None) -> str:
        """Put a record into a shard of the test's choice; return its sequence number."""
        arrived_at_s = self._now_s() if arrived_at_s is None else arrived_at_s
        with self._lock:
            assert not self.shards[shard].closed
            self._sequence += 7
            self.shards[shard].records.append(
                {
                    "SequenceNumber": str(self._sequence),
                    "PartitionKey": "k",
                    "Data": data.encode() if isinstance(data, str) else data,
                    "ApproximateArrivalTimestamp": datetime.fromtimestamp(arrived_at_s, UTC),
                }
            )
            return str(self._sequence)

    def open(self) -> list[str]:
        """Name the shards that take records, in the order of their keys."""
        with self._lock:
            found = [name for name, shard in self.shards.items() if not shard.closed]
            return sorted(found, key=lambda name: self.shards[name].start)

    def split(self, shard: str) -> tuple[str, str]:
        """Do what SplitShard does, in the middle."""
        with self._lock:
            parent = self.shards[shard]
            parent.closed = True
            middle = (parent.start + parent.end) // 2
            return (
                self._add(parent.start, middle, shard),
                self._add(middle, parent.end, shard),
            )

    def merge(self, first: str, second: str) -> str:
        """Do what MergeShards does with two shards beside each other."""
        with self._lock:
            left, right = self.shards[first], self.shards[second]
            assert left.end == right.start
            left.closed = right.closed = True
            return self._add(left.start, right.end, first, second)

    def update_count(self, target: int) -> None:
        """Do what UpdateShardCount does: split and merge until there are so many."""
        with self._lock:
            while len(self.open()) != target:
                names = self.open()
                if len(names) > target:
                    self.merge(names[0], names[1])
                else:
                    self.split(max(names, key=self._width))

    def _width(self, name: str) -> int:
        return self.shards[name].end - self.shards[name].start

    def _add(self, start: int, end: int, *parents: str) -> str:
        name = f"shardId-{len(self.shards):012d}"
        self.shards[name] = Shard(start, end, parents)
        return name

    def describe_stream_summary(self, **_: Any) -> dict[str, Any]:
        return {"StreamDescriptionSummary": {"RetentionPeriodHours": self._retention_h}}

    def get_paginator(self, operation: str) -> KinesisStream:
        assert operation == "list_shards"
        return self

    def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
        with self._lock:
            yield {"Shards": [self._listed(name) for name in self.shards]}

    def get_shard_iterator(self, ShardId: str, **request: Any) -> dict[str, Any]:  # noqa: N803 - boto3's names
        after = int(request.get("StartingSequenceNumber", 0))
        if request["ShardIteratorType"] == "AT_SEQUENCE_NUMBER":
            after -= 1
        since_s = request.get("Timestamp", 0)
        with self._lock:
            skipped = [
                int(each["SequenceNumber"]) <= after
                or each["ApproximateArrivalTimestamp"].timestamp() < since_s
                for each in self.shards[ShardId].records
            ]
        return {"ShardIterator": f"{ShardId}:{sum(skipped)}"}

    def get_records(self, ShardIterator: str, Limit: int, **_: Any) -> dict[str, Any]:  # noqa: N803
        name, start = ShardIterator.split(":")
        with self._lock:
            self.reads += 1
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
