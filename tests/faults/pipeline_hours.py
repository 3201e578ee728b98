"""The hourly aggregation, as shipped, on the lake in memory; an hour is read in two ways."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from aggregate.deps import Deps, ReadHour, Rules
from aggregate.figures import Figures, HourFigures
from aggregate.lake_hour import LakeHours
from aggregate.outbox import notify
from aggregate.service import aggregate, determine
from common.adapters.parquet import encode
from common.domain.decode import StreamLine
from common.domain.keys import lake_prefix
from common.domain.windows import rfc3339
from common.models import AggregationResult
from fakes.aggregates import MemoryAggregates
from fakes.alerts import MemoryAlertOutbox, MemoryAlertPublisher
from fakes.lag import MemoryLag
from fakes.lake import MemoryLake
from fakes.lake_reader import MemoryLakeReader
from faults.world import Crash

RULES = Rules(
    threshold=3.0, baseline=timedelta(hours=24), grace=timedelta(minutes=5), max_hours=168
)
_MEMORY_MB = 128


class Aggregator:
    """Runs the hourly aggregation over a lake, and may be killed at any call of a store."""

    def __init__(self, lake: MemoryLake) -> None:
        self.store = MemoryAggregates(self._step)
        self._alerts = MemoryAlertOutbox(self._step)
        self._publisher = MemoryAlertPublisher(self._step)
        self._lake = lake
        self._steps_left: int | None = None

    def run(self, now: datetime, lag: timedelta, kill_after: int | None = None) -> bool:
        """Run as the schedule does; say whether the run lived to its end."""
        deps = self._deps(now, lag, self._read_plainly)
        self._steps_left = kill_after
        try:
            plan = determine({"scheduled_time": rfc3339(now)}, deps)
            list(aggregate(plan.hours, "scheduled", deps))
            notify(deps)
        except Crash:
            return False
        finally:
            self._steps_left = None
        return True

    def run_all(self, now: datetime) -> None:
        """Do every hour of the lake once more, as by hand, from Parquet files by DuckDB."""
        reader = MemoryLakeReader()
        reader.objects = {key: encode(lines) for key, lines in self._lake.objects.items()}
        deps = self._deps(now, timedelta(0), LakeHours(reader, _MEMORY_MB))
        list(aggregate(sorted(self.store.progress), "by hand", deps))

    def open_hours(self, now: datetime) -> list[datetime]:
        return [one.hour for one in self.store.open_hours(before=now)]

    def results(self) -> dict[datetime, dict[str, AggregationResult]]:
        """Return what is stored of each hour, by type."""
        found: dict[datetime, dict[str, AggregationResult]] = defaultdict(dict)
        for (name, hour), result in self.store.results.items():
            found[hour][name] = result
        return found

    def _deps(self, now: datetime, lag: timedelta, read_hour: ReadHour) -> Deps:
        return Deps(
            store=self.store,
            alerts=self._alerts,
            publisher=self._publisher,
            lag=MemoryLag(lag),
            read_hour=read_hour,
            now=lambda: now,
            rules=RULES,
        )

    def _step(self, _name: str) -> None:
        if self._steps_left == 0:
            raise Crash
        if self._steps_left is not None:
            self._steps_left -= 1

    def _read_plainly(self, hour: datetime, known: Mapping[str, datetime]) -> HourFigures:
        """Do what DuckDB does, at a hundredth of its cost."""
        self._step("list_objects")
        objects = [
            lines for key, lines in self._lake.objects.items() if key.startswith(lake_prefix(hour))
        ]
        return add_up([line for lines in objects for line in lines])


def add_up(lines: Sequence[StreamLine]) -> HourFigures:
    """Count each event once, as the line has it that was received first."""
    events = {line.event.event_id: line for line in sorted(lines, key=_order, reverse=True)}
    by_type: dict[str, list[StreamLine]] = defaultdict(list)
    for line in events.values():
        by_type[line.event.event_type].append(line)
    types = {name: _figures(same) for name, same in by_type.items()}
    return HourFigures(_figures(events.values()), types, rows=len(lines))


def _order(line: StreamLine) -> tuple[object, ...]:
    at = line.position
    return line.event.received_at, at.stream, at.shard, int(at.sequence), line.line


def _figures(lines: Iterable[StreamLine]) -> Figures:
    events = [line.event for line in lines]
    return Figures(
        count=len(events),
        errors=sum(event.is_error for event in events),
        unique_users=len({event.user_id for event in events if event.user_id}),
        latency_count=sum(event.latency_ms is not None for event in events),
    )
