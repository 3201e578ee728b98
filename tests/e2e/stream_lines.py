"""The stream itself, read without any of our code: what was accepted, line by line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any


def read_stream(kinesis: Any, name: str) -> list[dict[str, Any]]:
    """Return the event of every line of every record of a stream."""
    events = []
    for shard in kinesis.list_shards(StreamName=name)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            answer = kinesis.get_records(ShardIterator=iterator, Limit=1000)
            for record in answer["Records"]:
                events += [json.loads(line) for line in record["Data"].split(b"\n")]
            behind = answer["Records"] or answer["MillisBehindLatest"]
            iterator = answer.get("NextShardIterator") if behind else None
    return events


def hot_counts(events: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, str]]:
    """Count lines by type and five-minute window, as far as they were recent when they came.

    An event is counted at once if its hour had not ended an hour before it was received.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for event in events:
        at, received = (
            datetime.fromisoformat(event[name]) for name in ("timestamp", "received_at")
        )
        if at >= _hour(received) - timedelta(hours=1):
            window = at.replace(minute=at.minute - at.minute % 5, second=0, microsecond=0)
            counts[event["event_type"], window.strftime("%Y-%m-%dT%H:%M:00.000Z")] += 1
    return counts


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
