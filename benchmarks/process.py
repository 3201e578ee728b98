"""What a batch of the stream costs: the shipped process function beside a careful typical one.

Both validate with Pydantic, write the lake's own columns as Parquet, count by type and window,
and keep sessions. The typical one (:mod:`benchmarks.typical.process`) groups its counts and makes
one ``UpdateItem`` per type and window and one per person; ours is exact under redelivery. Both
call the same stub of S3 and DynamoDB, which answers at once. CPU time of the process.

Run ``make benchmark``, or ``python -m benchmarks.process [--json]``. Exits 1 on a broken promise.
"""

from __future__ import annotations

import base64
import gzip
import io
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from benchmarks.measure import Ratio, Way, Work, as_json, cpu_us, report, started
from benchmarks.stub import stubbed_aws
from benchmarks.traffic import client_events
from common.domain.enrich import Arrival, EventTime, TimeLimits, enriched_line, event_time
from common.domain.partitions import bucket_of, pack
from common.models import IngestEvent

SIZES = {100: 40, 1_000: 120, 6_000: 600}
"""Events of a batch, and the people they are of."""
TYPICAL = "grouped counts, one record an event"
UNPACKED, PACKED = "EventStream, one record an event", "EventStream, packed as by ingest"
_SETTINGS = {
    "AWS_LAMBDA_FUNCTION_NAME": "process",
    "POWERTOOLS_SERVICE_NAME": "process",
    "POWERTOOLS_METRICS_NAMESPACE": "EventStream",
    "STREAM_NAME": "events",
    "LAKE_BUCKET": "lake",
    "HOT_TABLE": "hot",
    "AGGREGATES_TABLE": "aggregates",
    "METRIC_RETENTION_DAYS": "14",
    "MAX_TYPES_PER_WINDOW": "200",
    "SESSIONS": "on",
    "SESSIONS_TABLE": "sessions",
    "SESSION_GAP_MINUTES": "30",
    "SESSION_RETENTION_DAYS": "7",
    "EVENT_INDEX": "off",
    "EVENT_INDEX_TABLE": "index",
    "EVENT_INDEX_DAYS": "9",
}
_ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/events"
_SHARD = "shardId-000000000000"


class _Context:
    function_name = "process"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:process"
    aws_request_id = "request"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def stream_lines(count: int, people: int) -> list[tuple[str, bytes]]:
    """Return person and line of each event, as ingest puts them on the stream."""
    now = datetime.now(UTC)
    arrival = Arrival(now, now, "public", frozenset({"error"}))
    lines = []
    for raw in client_events(count, users=people):
        event = IngestEvent.model_validate(raw)
        at = event_time(event, now, TimeLimits(168, 5))
        assert isinstance(at, EventTime)
        lines.append((raw["user_id"], enriched_line(event, raw["event_id"], at, arrival)))
    return lines


class Batches:
    """The same records again and again, always further on in the stream."""

    def __init__(self, datas: list[bytes]) -> None:
        self._next = 10**55
        self._records = [
            {
                "eventSourceARN": _ARN,
                "kinesis": {
                    "data": base64.b64encode(data).decode(),
                    "approximateArrivalTimestamp": time.time(),
                },
            }
            for data in datas
        ]

    def next(self) -> dict[str, Any]:
        """Return what Lambda hands over."""
        for record in self._records:
            self._next += 1
            record["eventID"] = f"{_SHARD}:{self._next}"
            record["kinesis"]["sequenceNumber"] = str(self._next)  # type: ignore[index]
        return {"Records": self._records}


Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def _pieces(handler: Handler, *, packed: bool) -> dict[str, Work]:
    context, pieces = _Context(), {}
    for count, people in SIZES.items():
        lines = stream_lines(count, people)
        datas = [line for _, line in lines]
        if packed:
            datas = [each.data for each in pack((bucket_of(who, 16), line) for who, line in lines)]
        batches = Batches(datas)

        def work(batches: Batches = batches) -> None:
            if handler(batches.next(), context)["batchItemFailures"]:
                raise SystemExit("the benchmark's own batch failed")

        pieces[str(count)] = work
    return pieces


def typical() -> dict[str, Work]:
    """Set up the typical function."""
    from benchmarks.typical.process import lambda_handler

    return _pieces(lambda_handler, packed=False)


def unpacked() -> dict[str, Work]:
    """Set up ours, with an event to a record."""
    from process.handler import lambda_handler

    return _pieces(lambda_handler, packed=False)


def packed() -> dict[str, Work]:
    """Set up ours, with what ingest makes of batch requests."""
    from process.handler import lambda_handler

    return _pieces(lambda_handler, packed=True)


def sizes(count: int = 6_000) -> dict[str, float]:
    """Return bytes per event of one hour's events in several formats."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from common.adapters.parquet import encode
    from common.domain.decode import decode_batch

    datas = [line for _, line in stream_lines(count, SIZES[count])]
    lines = decode_batch(Batches(datas).next()["Records"]).lines
    ours = encode(lines)
    snappy = io.BytesIO()
    pq.write_table(pq.read_table(pa.BufferReader(ours)), snappy, compression="snappy")
    text = b"\n".join(datas)
    return {
        "NDJSON": len(text) / count,
        "NDJSON, gzip": len(gzip.compress(text, 6, mtime=0)) / count,
        "Parquet, snappy, library defaults": len(snappy.getvalue()) / count,
        "lake object": len(ours) / count,
    }


def main(*, wants_json: bool) -> bool:
    """Measure and print; return whether every promise is kept."""
    os.environ.update(_SETTINGS)
    told: dict[str, Any] = {}
    kept = True
    with stubbed_aws():
        ways = [Way(TYPICAL, typical), Way(UNPACKED, unpacked), Way(PACKED, packed)]
        with started(ways) as pipes:
            for count, people in SIZES.items():
                runs = max(1, 1_000 // count)
                figures = cpu_us(pipes, str(count), units=count, rounds=5, runs=runs)
                promised = 4.0 if count == 1_000 else None
                ratios = [
                    Ratio(f"typical / {name}", figures[TYPICAL] / figures[name], at_least=promised)
                    for name in (UNPACKED, PACKED)
                ]
                told[str(count)] = figures
                kept &= all(each.holds for each in ratios)
                if not wants_json:
                    report(f"{count} events of {people} people", figures, ratios)
    told["bytes_per_event"] = sizes()
    if wants_json:
        print(as_json(told))
    else:
        report("Bytes per event, 6,000 events", told["bytes_per_event"], [], unit="bytes")
    return kept


if __name__ == "__main__":
    sys.exit(0 if main(wants_json="--json" in sys.argv) else 1)
