"""What ingest puts on the stream is what the next function can read."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from common.domain.decode import StreamBatch, decode_batch
from common.ports.stream import StreamRecord
from fakes.bodies import PATHS, a_random_body
from fakes.ingest_builders import NOON
from fakes.ingest_client import Post
from fakes.stream import MemorySink


def as_delivered(records: Sequence[StreamRecord]) -> StreamBatch:
    """Read records as Lambda hands them to the function behind the stream."""
    return decode_batch(
        [
            {
                "kinesis": {
                    "data": base64.b64encode(record.data).decode(),
                    "partitionKey": record.partition_key,
                    "sequenceNumber": str(n),
                    "approximateArrivalTimestamp": NOON.timestamp(),
                },
                "eventID": f"shardId-000000000000:{n}",
                "eventSourceARN": "arn:aws:kinesis:eu-central-1:000000000000:stream/s",
            }
            for n, record in enumerate(records)
        ]
    )


def test_every_accepted_event_of_any_body_can_be_read(post: Post, sink: MemorySink) -> None:
    rng = random.Random(11)
    for _ in range(1000):
        path = rng.choice(PATHS)
        post(a_random_body(rng, path), path)

    batch = as_delivered(sink.stored)

    assert batch.bad == ()
    assert len(batch.lines) == len(sink.events()) > 1000


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({"sent_at": "0001-01-02T00:00:00Z"}, id="sent in the year 1"),
        pytest.param({"sentAt": "9999-12-30T00:00:00Z"}, id="sent in the year 9999"),
        pytest.param(
            {"sent_at": "9999-12-30T00:00:00Z", "timestamp": "9999-12-29T23:59:59Z"},
            id="happened in the year 9999",
        ),
        pytest.param(
            {"sent_at": "0001-12-30T00:00:00Z", "timestamp": "0001-12-30T00:00:00Z"},
            id="happened in the year 1",
        ),
        pytest.param({"sent_at": "0002-01-01T00:00:00Z"}, id="sent in the year 2"),
        pytest.param({"sent_at": "9998-12-31T23:59:59.999Z"}, id="sent in the year 9998"),
        pytest.param({"latency_ms": 1.7976931348623157e308}, id="the largest latency"),
        pytest.param({"latency_ms": 5e-324}, id="the smallest latency"),
        pytest.param({"latency_ms": 2**63 - 1}, id="the largest integer as latency"),
        pytest.param({"properties": {"n": -(2**63), "e": 1e-308}}, id="numbers"),
        pytest.param({"properties": {"t": "\u2028\u0085\x7f\t\r\n"}}, id="line ends"),
        pytest.param({"properties": {}, "context": {}}, id="empty objects"),
        pytest.param({"properties": None, "context": None}, id="nothing"),
        pytest.param({"event_id": "\N{GRINNING FACE}" * 128}, id="the longest id"),
        pytest.param({"event_type": "A" + " " * 127}, id="the longest type"),
        pytest.param({"timestamp": (NOON - timedelta(hours=168)).isoformat()}, id="the oldest"),
    ],
)
def test_an_extreme_event_is_refused_or_can_be_read(
    post: Post, sink: MemorySink, event: dict[str, Any]
) -> None:
    answer = post({"event_type": "x"} | event)

    assert answer.status in {200, 400}
    assert as_delivered(sink.stored).bad == ()
    assert len(as_delivered(sink.stored).lines) == (answer.status == 200)


def test_what_was_sent_is_what_is_read(post: Post, sink: MemorySink) -> None:
    properties = {"ü": [1, 2.5, None, True, {"deep": ["x"]}], "big": 2**63 - 1, "text": "a\nb"}

    post({"event_type": "x", "event_id": "e", "properties": properties})

    [line] = as_delivered(sink.stored).lines
    assert json.loads(line.event.properties or "") == properties
    assert line.event.received_at == line.event.timestamp == NOON
