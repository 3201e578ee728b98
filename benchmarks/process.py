"""What a batch of the stream costs: the shipped process function beside a careful typical one.

Both validate each event, write the lake's own columns as Parquet, count by type and window, and
keep sessions. The typical one (:mod:`benchmarks.typical.process`) groups its counts and makes one
``UpdateItem`` per type and window and one per person; ours is exact under redelivery. Both call
the same stub of S3 and DynamoDB, which answers at once. CPU time of the process. What is measured
otherwise is in :mod:`benchmarks.process_alone`.

Run ``make benchmark``, or ``python -m benchmarks.process [--json]``. Exits 1 on a broken promise.
"""

from __future__ import annotations

import base64
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any

from benchmarks import process_alone as alone
from benchmarks.measure import Ratio, Way, Work, as_json, cpu_us, report, started
from benchmarks.stub import stubbed_aws
from benchmarks.traffic import client_events
from common.domain.enrich import Arrival, Enricher, EventTime, TimeLimits, event_time
from common.domain.partitions import bucket_of, pack
from common.models import IngestEvent

SIZES = {100: 40, 1_000: 120, 6_000: 600}
"""Events of a batch, and the people they are of."""
ROUNDS = {100: 25, 1_000: 25, 6_000: 9}
TYPICAL = "grouped counts, one record an event"
UNPACKED, PACKED = "EventStream, one record an event", "EventStream, packed as by ingest"
BY_PYDANTIC = "EventStream, packed, by Pydantic alone"
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


def stream_lines(count: int, people: int, *, together: int) -> list[tuple[str, bytes]]:
    """Return person and line of each event, as ingest puts them on the stream.

    Parameters
    ----------
    count, people
        How many events, and of how many people.
    together
        Events of one request: they have one time of receipt.
    """
    now = datetime.now(UTC)
    lines = []
    for nth, raw in enumerate(client_events(count, users=people)):
        event = IngestEvent.model_validate(raw)
        at = event_time(event, now, TimeLimits(168, 5))
        assert isinstance(at, EventTime)
        received_at = now + timedelta(microseconds=1_003 * (nth // together))
        arrival = Arrival(received_at, received_at, "public", frozenset({"error"}))
        lines.append((raw["user_id"], Enricher(arrival).line(event, raw["event_id"], at)))
    return lines


class Batches:
    """The same records again and again, always further on in the stream.

    Batches are made ahead where they are asked for while the time is taken.
    """

    def __init__(self, datas: list[bytes], *, ahead: int = 0) -> None:
        self._next = 10**55
        now = time.time()
        self._datas = [
            (base64.b64encode(data).decode(), round(now + nth / 1000, 3))
            for nth, data in enumerate(datas)
        ]
        self._ahead = deque(self._make() for _ in range(ahead))

    def _make(self) -> dict[str, Any]:
        records = []
        for data, arrived in self._datas:
            self._next += 1
            at = str(self._next)
            kinesis = {"sequenceNumber": at, "data": data, "approximateArrivalTimestamp": arrived}
            records.append(
                {"eventSourceARN": _ARN, "eventID": f"{_SHARD}:{at}", "kinesis": kinesis}
            )
        return {"Records": records}

    def next(self) -> dict[str, Any]:
        """Return what Lambda hands over."""
        return self._ahead.popleft() if self._ahead else self._make()


def runs_of(count: int) -> int:
    """Return how many batches of a size are measured at once."""
    return max(1, 1_000 // count)


def batches(count: int, *, packed: bool, ahead: int | None = None) -> Batches:
    """Return a batch of single requests' events, or of what ingest makes of batch requests."""
    lines = stream_lines(count, SIZES[count], together=500 if packed else 1)
    datas = [line for _, line in lines]
    if packed:
        datas = [each.data for each in pack((bucket_of(who, 16), line) for who, line in lines)]
    return Batches(datas, ahead=ROUNDS[count] * runs_of(count) + 1 if ahead is None else ahead)


Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def invoke(handler: Handler, batch: dict[str, Any]) -> None:
    """Run a handler on a batch that cannot fail."""
    if handler(batch, _Context())["batchItemFailures"]:
        raise SystemExit("the benchmark's own batch failed")


def _pieces(handler: Handler, *, packed: bool) -> dict[str, Work]:
    def piece(count: int) -> Work:
        again = batches(count, packed=packed)
        return lambda: invoke(handler, again.next())

    return {str(count): piece(count) for count in SIZES}


def typical() -> dict[str, Work]:
    """Set up the typical function."""
    from benchmarks.typical.process import lambda_handler

    return _pieces(lambda_handler, packed=False)


def ours_unpacked() -> dict[str, Work]:
    """Set up ours, with an event to a record."""
    from process.handler import lambda_handler

    return _pieces(lambda_handler, packed=False)


def ours_packed() -> dict[str, Work]:
    """Set up ours, with what ingest makes of batch requests."""
    from process.handler import lambda_handler

    return _pieces(lambda_handler, packed=True)


def by_pydantic_alone() -> dict[str, Work]:
    """Set up ours as it is without the decoder that is derived from the Pydantic model."""
    from common.domain.stream_events import EventReader
    from process.handler import lambda_handler

    EventReader.read_plain = lambda _self, _line: None  # type: ignore[method-assign]
    return _pieces(lambda_handler, packed=True)


def ratios_of(count: int, figures: Mapping[str, float]) -> list[Ratio]:
    """Compare the ways, and hold them to what is promised of 1,000 events."""
    least = (2.5, 4.0, 1.3) if count == 1_000 else (None, None, None)
    compared = (
        (f"typical / {UNPACKED}", TYPICAL, UNPACKED),
        (f"typical / {PACKED}", TYPICAL, PACKED),
        ("Pydantic alone / with the derived decoder", BY_PYDANTIC, PACKED),
    )
    return [
        Ratio(name, figures[over] / figures[under], at_least=at_least)
        for (name, over, under), at_least in zip(compared, least, strict=True)
    ]


class Tables:
    """What was measured: printed as it comes, or kept to be told as JSON."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self.told: dict[str, Any] = {}
        self.kept = True

    def add(
        self, title: str, figures: Mapping[str, float], *ratios: Ratio, unit: str = "µs/event"
    ) -> None:
        """Take one table, with how its figures compare."""
        self.told[title] = {**figures, "ratios": {each.name: each.value for each in ratios}}
        self.kept &= all(each.holds for each in ratios)
        if not self._quiet:
            report(title, figures, ratios, unit=unit)


def figures_of(pipes: Mapping[str, Connection], count: int) -> Mapping[str, float]:
    """Measure batches of a size in all ways."""
    rounds, runs = ROUNDS[count], runs_of(count)
    return cpu_us(pipes, str(count), units=count, rounds=rounds, runs=runs)


def measure_whole(tables: Tables) -> None:
    """Measure the functions, AWS calls and all."""
    ways = [
        Way(TYPICAL, typical),
        Way(UNPACKED, ours_unpacked),
        Way(PACKED, ours_packed),
        Way(BY_PYDANTIC, by_pydantic_alone),
    ]
    with started(ways) as pipes:
        for count, people in SIZES.items():
            figures = figures_of(pipes, count)
            tables.add(f"{count} events of {people} people", figures, *ratios_of(count, figures))


def measure_compute(tables: Tables) -> None:
    """Measure ours without AWS calls, beside what nobody gets below."""
    with started([Way("floor", alone.floor), Way("EventStream", alone.compute)]) as pipes:
        for count in SIZES:
            figures = figures_of(pipes, count)
            over = Ratio("EventStream / floor", figures["EventStream"] / figures["floor"])
            title = f"{count} events, packed, without AWS calls; floor: base64, simdjson, zstd-1"
            tables.add(title, figures, over)


def measure_rest(tables: Tables) -> None:
    """Count calls, memory and bytes."""
    calls = alone.apart(alone.calls_of_a_batch, 100)
    writes = Ratio("counter writes", calls["PutItem hot"], at_most=3)
    tables.add("AWS calls of a batch of 100 events", calls, writes, unit="calls")
    memory = {
        TYPICAL: alone.apart(alone.peak_mb, "benchmarks.typical.process", False),
        UNPACKED: alone.apart(alone.peak_mb, "process.handler", False),
        PACKED: alone.apart(alone.peak_mb, "process.handler", True),
    }
    tables.add("Peak memory of a batch of 6,000 events, above imports", memory, unit="MB")
    sizes = alone.apart(alone.sizes, 6_000)
    tables.add("Bytes an event in the lake, 6,000 events", sizes, unit="bytes")


def main(*, wants_json: bool) -> bool:
    """Measure and print; return whether every promise is kept."""
    os.environ.update(_SETTINGS)
    tables = Tables(quiet=wants_json)
    with stubbed_aws():
        measure_whole(tables)
        measure_compute(tables)
        measure_rest(tables)
    if wants_json:
        print(as_json(tables.told))
    return tables.kept


if __name__ == "__main__":
    sys.exit(0 if main(wants_json="--json" in sys.argv) else 1)
