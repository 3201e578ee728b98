"""Records as Lambda hands them over, and lines as the process function has them."""

from __future__ import annotations

import base64
import json
from typing import Any

from common.domain.decode import StreamLine, decode_batch

STREAM = "events"
SHARD = "shardId-000000000000"
ARN = f"arn:aws:kinesis:eu-west-1:123456789012:stream/{STREAM}"
FIRST_SEQUENCE = 49654321098765432109876543210987654321098765432109876546


def an_event(**changes: Any) -> dict[str, Any]:
    """Return an event as ingest writes it to the stream."""
    return {
        "event_id": "0f8e9a52-6c1d-4f6f-9d0a-5f6f6a1c2b3d",
        "event_type": "page_view",
        "timestamp": "2026-11-20T10:06:30.000Z",
        "timestamp_source": "client",
        "received_at": "2026-11-20T10:06:31.000Z",
        "ingested_at": "2026-11-20T10:06:31.004Z",
        "schema_version": 1,
    } | changes


def a_record(
    *lines: dict[str, Any] | bytes, at: int = 0, data: str | None = None, shard: str = SHARD
) -> dict[str, Any]:
    """Return a record that packs lines; ``data`` replaces what they would be."""
    packed = b"\n".join(
        line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines
    )
    sequence = sequence_of(at)
    return {
        "eventSource": "aws:kinesis",
        "eventID": f"{shard}:{sequence}",
        "eventSourceARN": ARN,
        "kinesis": {
            "partitionKey": "6",
            "sequenceNumber": sequence,
            "data": base64.b64encode(packed).decode() if data is None else data,
            "approximateArrivalTimestamp": 1795169191.5,
        },
    }


def sequence_of(at: int) -> str:
    """Return the sequence number of the record that was sent as number ``at``."""
    return str(FIRST_SEQUENCE + at)


def a_line(*, at: int = 0, **changes: Any) -> StreamLine:
    """Return a decoded line of a record of its own."""
    [line] = decode_batch([a_record(an_event(**changes), at=at)]).lines
    return line
