"""Shards split and merge while events flow: counters, lake and results stay exact.

The poller, the process function's service and the aggregate's figures are the shipped ones; stream
and stores are fakes. The function crashes before and after its work, and its stores refuse.
"""

from __future__ import annotations

import itertools
import json
import queue
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from aggregate.lake_hour import LakeHours
from common.adapters.parquet import encode
from common.domain.partitions import bucket_of, explicit_hash_key
from common.domain.windows import rfc3339
from common.errors import StoreError
from fakes.hot import MemoryHotStore
from fakes.hours import MemoryHourMarks
from fakes.kinesis_stream import KinesisStream
from fakes.lake import MemoryLake
from fakes.lake_reader import MemoryLakeReader
from functional.poller.laptop import PARTIAL, Records, Running, eventually
from process.counters import HotCounters
from process.service import Deps, process

HOUR = datetime(2026, 11, 20, 10, tzinfo=UTC)
TYPES = ("page_view", "add_to_cart", "purchase")
BUCKETS = 64
RECORDS = 600
SHARDS = (2, 4, 1, 3, 5, 2, 1)
"""Counts of shards that the stream is brought to, one after the other."""


class CrashedError(Exception):
    """The function ended before it could answer."""


class FlakyHours(MemoryHourMarks):
    """Refuses now and then, when the lake has the batch and the counters have not."""

    def __init__(self, rng: Random) -> None:
        super().__init__()
        self._rng = rng

    def raise_generation(self, hours: Sequence[datetime]) -> None:
        if self._rng.random() < 0.05:
            raise StoreError("the table is away")
        super().raise_generation(hours)


class Pipeline:
    """Process functions on one set of stores."""

    def __init__(
        self, spoil: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda r: r
    ) -> None:
        self.rng = Random(20261120)
        self.lake, self.hot, self.hours = MemoryLake(), MemoryHotStore(), FlakyHours(self.rng)
        self.sent: list[dict[str, Any]] = []
        self.crashes = 0
        self._calls = itertools.count(1)
        self._spoil = spoil
        self._lock = threading.Lock()
        self._environments: queue.SimpleQueue[Deps] = queue.SimpleQueue()
        for _ in range(8):
            self._environments.put(self._environment())

    def _environment(self) -> Deps:
        return Deps(self.lake, self.hours, HotCounters(self.hot, max_types=200))

    def __call__(self, records: Records) -> dict[str, Any]:
        # An environment remembers windows that others have written since: as on AWS.
        deps, call = self._environments.get(), next(self._calls)
        try:
            return self._invoke(records, deps, call)
        except CrashedError:
            self.crashes += 1
            deps = self._environment()
            raise
        finally:
            self._environments.put(deps)

    def _invoke(self, records: Records, deps: Deps, call: int) -> dict[str, Any]:
        if call % 11 == 0:
            raise CrashedError("before its work")
        with self._lock:  # the fakes know no two writers at once
            outcome = process([self._spoil(each) for each in records], deps)
        if call % 13 == 0:
            raise CrashedError("after its work")
        failed = [{"itemIdentifier": outcome.retry_from}] if outcome.retry_from else []
        return {"batchItemFailures": failed}

    def send(self, stream: KinesisStream, number: int) -> None:
        """Put a record of one to three events of a user."""
        user = f"user-{self.rng.randrange(40)}"
        events = [self._event(user, number, line) for line in range(self.rng.randint(1, 3))]
        bucket = bucket_of(user, BUCKETS)
        data = b"\n".join(json.dumps(event).encode() for event in events)
        stream.put(data, int(explicit_hash_key(bucket, BUCKETS)))
        self.sent += events

    def _event(self, user: str, number: int, line: int) -> dict[str, Any]:
        at = HOUR + timedelta(seconds=number * 3599 // RECORDS)
        return {
            "event_id": f"{number}-{line}",
            "event_type": self.rng.choice(TYPES),
            "user_id": user,
            "timestamp": rfc3339(at),
            "timestamp_source": "client",
            "received_at": rfc3339(at),
            "ingested_at": rfc3339(at),
            "source": "public",
            "schema_version": 1,
        }

    def wrong_counters(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Return windows and types whose count isn't what was sent: sent, counted."""
        sent = Counter((_window(event), event["event_type"]) for event in self.sent)
        counted: Counter[tuple[str, str]] = Counter()
        for (pk, sk), window in self.hot.windows.items():
            hour, minute = pk.removeprefix("HOT#"), sk.split("#")[0]
            for event_type, found in window.types.items():
                counted[f"{hour}:{minute}", event_type] += found.count
        return {
            key: (sent[key], counted[key]) for key in sent | counted if sent[key] != counted[key]
        }

    def lines(self) -> list[str]:
        """Return the ids of the lake's lines, each line of the stream once."""
        found = {
            (line.position.shard, line.position.sequence, line.line): line.event.event_id
            for lines in self.lake.objects.values()
            for line in lines
        }
        return sorted(found.values())

    def figures(self) -> Any:
        """Compute the hour from the lake's objects, as the aggregate function does."""
        reader = MemoryLakeReader()
        for key, lines in self.lake.objects.items():
            reader.objects[key] = encode(lines)
        return LakeHours(reader, memory_mb=128)(HOUR, {})


def _window(event: Mapping[str, Any]) -> str:
    at = datetime.fromisoformat(event["timestamp"])
    return f"{at:%Y-%m-%dT%H}:{at.minute - at.minute % 5:02d}"


def run(pipeline: Pipeline) -> Running:
    """Send while shards change under the load, and the poller is started anew in between."""
    running = Running(
        pipeline,
        KinesisStream(),
        BatchSize=9,
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1000,
        **PARTIAL,
    )
    with running:
        for number in range(RECORDS):
            pipeline.send(running.stream, number)
            at, rest = divmod(number, RECORDS // len(SHARDS))
            if rest == 40:
                running.stream.update_count(SHARDS[min(at, len(SHARDS) - 1)])
            if rest == 60 and at % 3 == 1:
                running.restart()
        eventually(lambda: running.poller.lag_s() == 0 and not unfinished(running))
    assert running.session.s3.objects == {}
    return running


def unfinished(running: Running) -> list[str]:
    """Name the shards whose last record is not behind the checkpoint."""
    items = running.session.dynamodb.items
    return [
        name
        for name, shard in running.stream.shards.items()
        if shard.records
        and not items.get(name, {}).get("finished", {}).get("BOOL")
        and items.get(name, {}).get("sequence", {}).get("S") != shard.records[-1]["SequenceNumber"]
    ]


def test_counters_lake_and_results_are_exact_while_shards_split_and_merge() -> None:
    pipeline = Pipeline()

    running = run(pipeline)

    assert len(running.stream.shards) > 15
    assert pipeline.crashes > 5
    assert pipeline.wrong_counters() == {}
    assert pipeline.lines() == sorted(event["event_id"] for event in pipeline.sent)
    figures = pipeline.figures()
    assert figures.total.count == len(pipeline.sent)
    assert figures.total.unique_users == len({event["user_id"] for event in pipeline.sent})
    assert {name: of.count for name, of in figures.types.items()} == Counter(
        event["event_type"] for event in pipeline.sent
    )


def test_counters_that_know_no_shards_are_found_out() -> None:
    """The control: one mark for all shards, so what a sister wrote later hides records."""

    def one_shard(record: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**record, "eventID": f"shardId-000000000000:{record['eventID'].split(':')[1]}"}

    pipeline = Pipeline(one_shard)

    run(pipeline)

    wrong = pipeline.wrong_counters()
    assert wrong
    assert all(counted < sent for sent, counted in wrong.values())
