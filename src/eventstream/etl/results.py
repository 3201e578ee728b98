"""What the hourly ETL wrote: hours, totals of types, findings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from common.adapters.aggregates import DynamoAggregates
from common.adapters.readings import DynamoReadings
from common.adapters.table import Table
from common.domain.keys import HOURS_PK, hour_sk
from common.domain.windows import HOUR, iso_hour
from common.models import AggregationResult
from common.ports.aggregates import HourProgress
from eventstream.target import Target

Json = dict[str, Any]


class EtlResults:
    """The aggregates table of a pipeline."""

    def __init__(self, target: Target) -> None:
        dynamodb, name = target.client("dynamodb"), target.resource("AggregatesTable")
        self._table = Table(dynamodb, name)
        self._aggregates = DynamoAggregates(dynamodb, name)
        self.readings = DynamoReadings(
            dynamodb,
            hot_table=target.resource("HotTable"),
            aggregates_table=name,
            now=lambda: datetime.now(UTC),
        )

    def open_hours(self) -> list[HourProgress]:
        """Return the hours whose results are missing or provisional, oldest first."""
        return self._aggregates.open_hours(before=datetime(9999, 1, 1, tzinfo=UTC))

    def hours(self, start: datetime, end: datetime) -> list[Json]:
        """Return the stored state of each hour of a range, oldest first."""
        bounds = {"pk": HOURS_PK, "first": hour_sk(start), "last": hour_sk(end - HOUR)}
        rows = self._table.query("#pk = :pk AND #sk BETWEEN :first AND :last", bounds)
        names = ("events", "errors", "unique_users", "status", "aggregated_at", "run_id")
        return [
            {"hour": row["sk"].removeprefix("HOUR#"), **{name: row.get(name) for name in names}}
            for row in rows
        ]

    def type_totals(self, start: datetime, end: datetime) -> list[Json]:
        """Add up each type's hourly results over a range."""
        totals = []
        for event_type in sorted(self._aggregates.known_types()):
            results = list(self.readings.type_hours(event_type, start, end).values())
            if any(result.count for result in results):
                totals.append(_total(event_type, results))
        return totals

    def findings(self, start: datetime, end: datetime, types: Sequence[str]) -> list[Json]:
        """Return the anomalies found in a range, in order of time."""
        rows = [
            {
                "event_type": event_type,
                "hour": iso_hour(hour),
                "metric": finding.metric,
                "z_score": finding.z_score,
                "explanation": finding.explanation,
            }
            for event_type in types
            for hour, result in self.readings.type_hours(event_type, start, end).items()
            for finding in result.anomalies
        ]
        return sorted(rows, key=lambda row: (str(row["hour"]), str(row["event_type"])))


def _total(event_type: str, results: Sequence[AggregationResult]) -> Json:
    return {
        "event_type": event_type,
        "hours": sum(1 for result in results if result.count),
        "count": sum(result.count for result in results),
        "errors": sum(result.errors for result in results),
        "anomalies": sum(len(result.anomalies) for result in results),
        "final": all(result.status == "final" for result in results),
    }
