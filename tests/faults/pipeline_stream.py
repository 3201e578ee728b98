"""A stream whose every move is told: which batch comes, how it is cut, when a shard splits."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from common.domain.partitions import bucket_of
from common.domain.windows import rfc3339
from faults.mapping import Delivery
from faults.traffic import Sent

BUCKETS = 8
FIRST_SEQUENCE = 10**55 - 100
"""A few records on, sequence numbers have a digit more."""


@dataclass(frozen=True)
class Event:
    """One event as it was sent once; an event that is sent again has several of these."""

    event_id: str
    event_type: str
    user: str
    at: datetime
    received_at: datetime
    is_error: bool = False
    latency_ms: float | None = None
    stamped: bool = True
    """Whether the client says when it happened; else it happened when it was received."""
    poison: bytes | None = None
    """What stands in the place of a good line."""
    replayed: bool = False

    def as_bytes(self) -> bytes:
        if self.poison is not None:
            return self.poison
        body = {
            "event_id": self.event_id,
            "event_type": self.event_type,
            "timestamp": rfc3339(self.at),
            "user_id": self.user,
            "is_error": self.is_error,
            "latency_ms": self.latency_ms,
            "timestamp_source": "client" if self.stamped else "received",
            "received_at": rfc3339(self.received_at),
            "ingested_at": rfc3339(self.received_at),
            "schema_version": 1,
        }
        return json.dumps(body).encode()


@dataclass(frozen=True)
class Placed:
    """An event and where on the stream it stands."""

    event: Event
    shard: str
    sequence: str
    line: int

    @property
    def record(self) -> tuple[str, str]:
        return self.shard, self.sequence


@dataclass
class Shard:
    """A shard and its one reader, which goes where it is told."""

    name: str
    buckets: tuple[int, ...]
    parent: Shard | None = None
    records: list[Sent] = field(default_factory=list)
    checkpoint: int = 0
    waiting: list[Delivery] = field(default_factory=list)
    """Ranges that failed; the last one comes next."""
    is_closed: bool = False

    @property
    def is_finished(self) -> bool:
        return not self.waiting and self.checkpoint >= len(self.records)

    @property
    def is_begun(self) -> bool:
        """Say whether its reader may read: all that its ancestors hold is read before."""
        return self.parent is None or (self.parent.is_finished and self.parent.is_begun)

    @property
    def is_readable(self) -> bool:
        """Say whether there is something to read."""
        return not self.is_finished and self.is_begun

    @property
    def unfinished(self) -> list[Sent]:
        return self.records[self.checkpoint :]

    def next(self, size: int) -> Delivery:
        """Return what comes next: what failed, else up to ``size`` new records."""
        if self.waiting:
            return self.waiting.pop()
        return Delivery((self.checkpoint, min(self.checkpoint + size, len(self.records))))

    def took(self, delivery: Delivery) -> None:
        self.checkpoint = delivery.span[1]

    def bisect(self) -> bool:
        """Halve the range that waits, if it can be halved; the halves keep their order."""
        if not self.waiting or self.waiting[-1].span[1] - self.waiting[-1].span[0] < 2:
            return False
        begin, end = self.waiting.pop().span
        middle = (begin + end) // 2
        self.waiting += [Delivery((middle, end)), Delivery((begin, middle))]
        return True

    def regress(self, records: int) -> bool:
        """Fall back to an old checkpoint; what waited is cut anew."""
        if not self.checkpoint:
            return False
        self.checkpoint = max(0, self.checkpoint - records)
        self.waiting.clear()
        return True

    def give_up(self, size: int) -> list[Sent]:
        """Discard the range that comes next, tried or not, as its records are too old."""
        begin, end = self.next(size).span
        self.checkpoint = end
        return self.records[begin:end]


@dataclass
class Stream:
    """Shards that split, and sequence numbers that rise over all of them."""

    shards: list[Shard] = field(default_factory=list)
    last: int = FIRST_SEQUENCE
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._open(tuple(range(0, BUCKETS, 2)), None)
        self._open(tuple(range(1, BUCKETS, 2)), None)

    def _open(self, buckets: tuple[int, ...], parent: Shard | None) -> None:
        self.shards.append(Shard(f"shardId-{len(self.shards):012d}", buckets, parent))

    def split(self, which: int) -> bool:
        """Close an open shard in favour of two children, each with half of its buckets."""
        shards = [s for s in self.shards if not s.is_closed and len(s.buckets) > 1]
        if not shards:
            return False
        parent = shards[which % len(shards)]
        parent.is_closed = True
        half = len(parent.buckets) // 2
        self._open(parent.buckets[:half], parent)
        self._open(parent.buckets[half:], parent)
        return True

    def put(self, lines: tuple[Event, ...], now: datetime) -> list[Placed]:
        """Take a record of one user's events."""
        bucket = bucket_of(lines[0].user, BUCKETS)
        sent = self._append(bucket, lines, now, None)
        return [Placed(line, sent.shard, sent.sequence, n) for n, line in enumerate(lines)]

    def put_data(self, bucket: int, data: str, now: datetime) -> None:
        """Take a record as its bytes in base64."""
        self._append(bucket, (), now, data)

    def _append(
        self, bucket: int, lines: tuple[Event, ...], now: datetime, data: str | None
    ) -> Sent:
        shard = next(s for s in self.shards if not s.is_closed and bucket in s.buckets)
        self.last += 7
        sent = Sent.of(shard.name, str(self.last), bucket, lines)  # type: ignore[arg-type]
        kinesis: dict[str, Any] = sent.record["kinesis"]
        kinesis["approximateArrivalTimestamp"] = now.timestamp()
        if data is not None:
            kinesis["data"] = data
        shard.records.append(sent)
        return sent

    def readable(self) -> list[Shard]:
        return [shard for shard in self.shards if shard.is_readable]

    def unfinished(self) -> list[Sent]:
        """Return the records that are not done with."""
        return [one for shard in self.shards for one in shard.unfinished]

    def oldest(self) -> float | None:
        """Return when the oldest record came that is not done with."""
        arrivals = [
            one.record["kinesis"]["approximateArrivalTimestamp"] for one in self.unfinished()
        ]
        return min(arrivals, default=None)
