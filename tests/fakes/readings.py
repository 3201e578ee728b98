"""The stores as readers see them, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from common.domain.hot import TypeCount
from common.domain.keys import alert_sk
from common.domain.windows import hour_of, rfc3339
from common.errors import EventStreamError
from common.models import AggregationResult, AnomalyAlert
from common.ports.aggregates import HourProgress, SchemaUse, TypeSpan
from common.ports.readings import AlertRow, HotSlice, Readings, RunRow


@dataclass
class MemoryReadings(Readings):
    states: dict[datetime, HourProgress] = field(default_factory=dict)
    results: dict[tuple[str, datetime], AggregationResult] = field(default_factory=dict)
    slices: list[HotSlice] = field(default_factory=list)
    types: dict[str, TypeSpan] = field(default_factory=dict)
    alert_rows: dict[str, AlertRow] = field(default_factory=dict)
    run_rows: dict[str, RunRow] = field(default_factory=dict)
    schema_uses: dict[datetime, Mapping[str, SchemaUse]] = field(default_factory=dict)
    down: dict[str, EventStreamError] = field(default_factory=dict)
    """Stores that do not answer, by name."""
    hot_reads: list[datetime] = field(default_factory=list)
    """Hours whose hot windows were read."""

    def add_state(self, state: HourProgress) -> None:
        self.states[state.hour] = state

    def add_result(self, result: AggregationResult) -> None:
        self.results[result.event_type, result.window_start] = result

    def add_hot(self, start: datetime, types: dict[str, TypeCount]) -> None:
        self.slices.append(HotSlice(start, types))

    def add_type(self, entry: TypeSpan) -> None:
        self.types[entry.event_type] = entry

    def add_alert(self, alert: AnomalyAlert, *, sent_at: datetime | None = None) -> None:
        key = alert_sk(alert.window_start, alert.alert_id)
        state = "SENT" if sent_at else "PENDING"
        self.alert_rows[key] = AlertRow(key, alert, state, rfc3339(sent_at) if sent_at else None)

    def add_schemas(self, hour: datetime, uses: Mapping[str, SchemaUse]) -> None:
        self.schema_uses[hour] = uses

    def add_run(self, run: RunRow) -> None:
        self.run_rows[run.key] = run

    def hours(self, start: datetime, end: datetime, limit: int) -> list[HourProgress]:
        self._answer("aggregates_table")
        return [self.states[hour] for hour in sorted(self.states) if start <= hour < end][:limit]

    def type_hours(
        self, event_type: str, start: datetime, end: datetime
    ) -> dict[datetime, AggregationResult]:
        self._answer("aggregates_table")
        return {
            hour: result
            for (name, hour), result in sorted(self.results.items())
            if name == event_type and start <= hour < end
        }

    def hot_slices(
        self, hours: Sequence[datetime], event_type: str | None = None
    ) -> list[HotSlice]:
        self._answer("hot_table")
        self.hot_reads.extend(hours)
        return [
            HotSlice(
                part.start,
                {name: of for name, of in part.types.items() if event_type in (None, name)},
            )
            for part in self.slices
            if hour_of(part.start) in hours
        ]

    def event_types(self, after: str, limit: int) -> list[TypeSpan]:
        self._answer("aggregates_table")
        return [self.types[name] for name in sorted(self.types) if name > after][:limit]

    def schemas(self, start: datetime, end: datetime) -> dict[datetime, Mapping[str, SchemaUse]]:
        self._answer("aggregates_table")
        return {
            hour: self.schema_uses[hour] for hour in sorted(self.schema_uses) if start <= hour < end
        }

    def alerts(
        self,
        start: datetime,
        end: datetime,
        limit: int,
        *,
        event_type: str | None = None,
        before: str | None = None,
    ) -> list[AlertRow]:
        self._answer("aggregates_table")
        rows = (self.alert_rows[key] for key in sorted(self.alert_rows, reverse=True))
        return [
            row
            for row in rows
            if start <= row.alert.window_start < end
            and event_type in (None, row.alert.event_type)
            and (before is None or row.key < before)
        ][:limit]

    def runs(self, limit: int, *, before: str | None = None) -> list[RunRow]:
        self._answer("aggregates_table")
        rows = (self.run_rows[key] for key in sorted(self.run_rows, reverse=True))
        return [row for row in rows if before is None or row.key < before][:limit]

    def check(self) -> dict[str, bool]:
        return {name: name not in self.down for name in ("hot_table", "aggregates_table")}

    def _answer(self, store: str) -> None:
        if store in self.down:
            raise self.down[store]
