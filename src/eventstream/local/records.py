"""Stream records, and the event in which Lambda hands them to a function.

Source for the event's shape: "Using Lambda to process records from Amazon Kinesis Data Streams"
in the Lambda developer guide.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
"""Most bytes of an event of a synchronous invocation ("Lambda quotas")."""

_ENVELOPE_BYTES = len('{"Records": []}')


@dataclass(frozen=True)
class Record:
    """One record of a stream.

    Attributes
    ----------
    event
        The record as JSON text, as it stands in the event's ``Records``.
    arrived_at_s
        When it arrived at the stream, seconds since 1970.
    """

    sequence: str
    arrived_at_s: float
    event: str

    @property
    def size_bytes(self) -> int:
        """Bytes that the record takes in the event, with what separates it from the next."""
        return len(self.event) + 2


@dataclass(frozen=True)
class Source:
    """Where records come from, as their events name it."""

    stream_arn: str
    shard_id: str
    role_arn: str
    region: str

    def record(self, raw: dict[str, Any]) -> Record:
        """Turn a record of ``GetRecords`` into the record of an event."""
        arrived_at_s = raw["ApproximateArrivalTimestamp"].timestamp()
        event = {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": raw["PartitionKey"],
                "sequenceNumber": raw["SequenceNumber"],
                "data": base64.b64encode(raw["Data"]).decode(),
                "approximateArrivalTimestamp": round(arrived_at_s, 3),
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{self.shard_id}:{raw['SequenceNumber']}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": self.role_arn,
            "awsRegion": self.region,
            "eventSourceARN": self.stream_arn,
        }
        return Record(raw["SequenceNumber"], arrived_at_s, json.dumps(event))


def payload(records: Sequence[Record]) -> bytes:
    """Return the event that holds the records."""
    return b'{"Records": [' + ", ".join(record.event for record in records).encode() + b"]}"


def fitting(records: Sequence[Record], limit_bytes: int = MAX_PAYLOAD_BYTES) -> int:
    """Return how many of the records, from the first on, fit into one event; one at least.

    A record that is too large by itself goes alone: it must fail by itself, not with others.
    """
    size = _ENVELOPE_BYTES
    for count, record in enumerate(records):
        size += record.size_bytes
        if size > limit_bytes and count > 0:
            return count
    return len(records)
