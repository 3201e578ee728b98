"""Lake rows and a world for the tests of aggregate."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aggregate.answers import Telemetry, answer
from aggregate.deps import Deps, Rules
from aggregate.figures import Figures, HourFigures
from aggregate.lake_hour import LakeHours
from common.adapters.parquet import encode
from common.domain.decode import Position, StreamLine
from common.domain.keys import lake_key
from common.domain.windows import HOUR, rfc3339
from common.models import AggregationResult, EnrichedEvent
from fakes.aggregates import MemoryAggregates
from fakes.alerts import MemoryAlertOutbox, MemoryAlertPublisher
from fakes.lag import MemoryLag
from fakes.lake_reader import MemoryLakeReader

NINE = datetime(2026, 11, 20, 9, tzinfo=UTC)
RULES = Rules(
    threshold=3.0, baseline=timedelta(hours=168), grace=timedelta(minutes=5), max_hours=168
)


def a_line(event_id: str, *, line: int = 0, sequence: int = 1, **fields: Any) -> StreamLine:
    """Return one event with its place in the stream."""
    at = fields.pop("timestamp", NINE + timedelta(minutes=5))
    position = Position(
        fields.pop("stream", "stream"), fields.pop("shard", "shardId-000000000000"), str(sequence)
    )
    values = {
        "event_id": event_id,
        "event_type": "click",
        "timestamp": at,
        "timestamp_source": "client",
        "received_at": at,
        "ingested_at": at,
    }
    event = EnrichedEvent.model_validate(values | fields)
    return StreamLine(position, line, event, properties='{"a":1}', context=None)


def lines_of(event_type: str, count: int, hour: datetime = NINE, **fields: Any) -> list[StreamLine]:
    """Return that many events of one type in one hour, of five users."""
    return [
        a_line(
            f"{event_type}-{hour:%d%H}-{n}",
            event_type=event_type,
            timestamp=hour + timedelta(minutes=5),
            user_id=f"user-{n % 5}",
            line=n,
            **fields,
        )
        for n in range(count)
    ]


@dataclass
class World:
    """The pipeline around aggregate: what process writes, and the state machine's calls."""

    now: datetime = NINE + timedelta(minutes=70)
    rules: Rules = RULES
    store: MemoryAggregates = field(default_factory=MemoryAggregates)
    alerts: MemoryAlertOutbox = field(default_factory=MemoryAlertOutbox)
    publisher: MemoryAlertPublisher = field(default_factory=MemoryAlertPublisher)
    lag: MemoryLag = field(default_factory=MemoryLag)
    lake: MemoryLakeReader = field(default_factory=MemoryLakeReader)
    figures: dict[datetime, HourFigures] = field(default_factory=dict)
    """Hours whose figures are given, to spare a test the files."""
    logged: list[tuple[str, Mapping[str, object]]] = field(default_factory=list)
    counted: dict[str, int] = field(default_factory=dict)

    def deps(self) -> Deps:
        return Deps(
            store=self.store,
            alerts=self.alerts,
            publisher=self.publisher,
            lag=self.lag,
            read_hour=self._read_hour,
            now=lambda: self.now,
            rules=self.rules,
        )

    def put(self, lines: Sequence[StreamLine], hour: datetime = NINE) -> None:
        """Do what process does: the object first, then the mark."""
        first = str(len(self.lake.objects))
        self.lake.objects[lake_key(hour, "stream", "shard", first, first)] = encode(lines)
        self.store.raise_generation([hour])

    def put_clicks(self, count: int, hour: datetime) -> None:
        """Have an hour hold that many clicks of five users, without any file."""
        clicks = Figures(count=count, unique_users=5)
        self.figures[hour] = HourFigures(clicks, {"click": clicks}, rows=count, objects=1)
        self.store.raise_generation([hour])

    def call(self, **event: Any) -> dict[str, Any]:
        telemetry = Telemetry(self._log, self._log, self._count)
        return answer(event, self.deps(), telemetry, default_run_id="run-1")

    def run(self, **execution_input: Any) -> dict[str, Any]:
        """Do what the state machine does, one call after the other."""
        plan = self.call(action="determine", input=execution_input)
        hours = [self.call(action="aggregate", **window) for window in plan["windows"]]
        if plan["pending_alerts"] or any(hour["anomaly_detected"] for hour in hours):
            self.call(action="notify")
        return {**plan, "results": hours}

    def run_hourly(self, hours: Collection[datetime]) -> None:
        """Run ten minutes after the end of each hour."""
        for hour in sorted(hours):
            self.now = hour + HOUR + timedelta(minutes=10)
            self.run(scheduled_time=rfc3339(self.now))

    def result(self, event_type: str, hour: datetime = NINE) -> AggregationResult:
        return self.store.results[event_type, hour]

    def _read_hour(self, hour: datetime, known: Mapping[str, datetime]) -> HourFigures:
        if hour in self.figures:
            return self.figures[hour]
        return LakeHours(self.lake, memory_mb=128)(hour, known)

    def _log(self, message: str, **fields: object) -> None:
        self.logged.append((message, fields))

    def _count(self, name: str, value: int) -> None:
        self.counted[name] = self.counted.get(name, 0) + value


def a_window(hour: datetime = NINE, hours: int = 1) -> dict[str, str]:
    return {"window_start": rfc3339(hour), "window_end": rfc3339(hour + hours * HOUR)}


def a_quiet_past(
    world: World, hours: int, *, count: Callable[[int], int] = lambda n: 95 + n % 11
) -> None:
    """Fill and aggregate the hours before :data:`NINE`, each with about 100 clicks."""
    past = [NINE - n * HOUR for n in range(hours, 0, -1)]
    for n, hour in enumerate(past):
        world.put_clicks(count(n), hour)
    now, world.now = world.now, NINE + timedelta(minutes=10)
    world.call(**a_window(past[0], hours))
    world.now = now
