"""Shards split and merge through the AWS interface while events flow: every number stays exact."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config

from common.domain.windows import HOUR, hour_of, iso_hour, rfc3339
from e2e.client import deliver
from e2e.conftest import MakePipeline
from e2e.local_pipeline import EXACT, LocalPipeline
from fakes.waiting import wait_for

pytestmark = pytest.mark.e2e

TYPES = ("page_view", "add_to_cart", "purchase")
BATCH = 20


class Sender:
    """Posts batches of fresh events, and counts what was accepted."""

    def __init__(self, running: LocalPipeline, hour: datetime) -> None:
        self.running = running
        self.hour = hour
        self.accepted: Counter[str] = Counter()
        self.sent_again = 0
        self.over = threading.Event()

    def work(self) -> None:
        for batch in itertools.count():
            if self.over.is_set():
                return
            self._post(batch)

    def _post(self, batch: int) -> None:
        events = [
            {
                "event_id": f"{batch}-{number}",
                "event_type": TYPES[number % len(TYPES)],
                "user_id": f"user-{(batch * BATCH + number) % 50}",
                "timestamp": rfc3339(self.hour + timedelta(seconds=batch)),
            }
            for number in range(BATCH)
        ]
        self.sent_again += deliver(self.running.url, events)
        self.accepted.update(event["event_type"] for event in events)


@contextmanager
def sending(running: LocalPipeline, hour: datetime) -> Iterator[Sender]:
    sender = Sender(running, hour)
    thread = threading.Thread(target=sender.work)
    thread.start()
    try:
        yield sender
    finally:
        sender.over.set()
        thread.join(90)


def kinesis(running: LocalPipeline) -> Any:
    """Return a client as a user of AWS's tools has it: on the address of the gateway."""
    return boto3.client(
        "kinesis",
        region_name="us-east-1",
        endpoint_url=running.url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(read_timeout=90, retries={"total_max_attempts": 1}),
    )


def open_shards(client: Any, stream: str) -> list[dict[str, Any]]:
    found = client.list_shards(StreamName=stream)["Shards"]
    return sorted(found, key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))


def split(client: Any, stream: str) -> None:
    shard = open_shards(client, stream)[0]
    keys = shard["HashKeyRange"]
    middle = (int(keys["StartingHashKey"]) + int(keys["EndingHashKey"])) // 2
    client.split_shard(
        StreamName=stream, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(middle)
    )


def merge(client: Any, stream: str) -> None:
    first, second = open_shards(client, stream)[:2]
    client.merge_shards(
        StreamName=stream,
        ShardToMerge=first["ShardId"],
        AdjacentShardToMerge=second["ShardId"],
    )


def scale(client: Any, stream: str) -> None:
    client.update_shard_count(StreamName=stream, TargetShardCount=3, ScalingType="UNIFORM_SCALING")


def test_no_event_is_lost_or_counted_twice(pipeline: MakePipeline) -> None:
    running = pipeline(**EXACT)
    running.start()
    client, stream = kinesis(running), running.target().resource("EventStream")
    # It has ended, so it becomes final, and is recent enough to be counted at once.
    hour = hour_of(datetime.now(UTC)) - HOUR

    with sending(running, hour) as sender:
        for number, change in enumerate((split, split, merge, scale, merge, split), start=1):
            wait_for("events", lambda n=number: sender.accepted.total() >= n * 5 * BATCH)
            change(client, stream)
        enough = sender.accepted.total() + 5 * BATCH
        wait_for("events after the last change", lambda: sender.accepted.total() >= enough)
    sent = sender.accepted

    running.wait_for_lake(sent.total())
    wait_for("hot counters of every line", lambda: hot(running) == running.line_counts())
    assert running.lake_counts() == sent
    hours = running.hours(iso_hour(hour), iso_hour(hour + HOUR))
    assert {name: sum(n for n, _ in of.values()) for name, of in hours.items()} == sent
    more = (running.line_counts() - sent).total()
    assert 0 <= more <= sender.sent_again


def hot(running: LocalPipeline) -> Counter[str]:
    return Counter({name: running.counted(name) for name in TYPES})
