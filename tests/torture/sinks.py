"""Streams for many requests: they keep what is asked of them and no more."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any

from common.domain.decode import StreamLine, decode_batch
from common.ports.stream import PutFailure, StreamRecord


class Recorder:
    """Acknowledges everything, and hands over the records since the last time."""

    def __init__(self) -> None:
        self._records: list[StreamRecord] = []

    def put(self, records: Sequence[StreamRecord]) -> Sequence[PutFailure | None]:
        self._records += records
        return [None] * len(records)

    def take(self) -> list[StreamRecord]:
        taken, self._records = self._records, []
        return taken


def as_delivered(records: Sequence[StreamRecord]) -> Iterator[dict[str, Any]]:
    """Hand records over as Lambda does."""
    for n, record in enumerate(records):
        yield {
            "kinesis": {
                "data": base64.b64encode(record.data).decode(),
                "partitionKey": record.partition_key,
                "sequenceNumber": str(n),
                "approximateArrivalTimestamp": 1_771_588_800.0,
            },
            "eventID": f"shardId-000000000000:{n}",
            "eventSourceARN": "arn:aws:kinesis:eu-central-1:000000000000:stream/s",
        }


def read_by_process(records: Sequence[StreamRecord]) -> tuple[Sequence[StreamLine], int]:
    """Return the good lines as the next function reads them, and the number of bad ones."""
    batch = decode_batch(as_delivered(records))
    return batch.lines, sum(bad.count for bad in batch.bad)
