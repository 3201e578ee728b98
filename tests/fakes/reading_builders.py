"""Believable rows of the stores that readers read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from common.domain.histogram import Histogram
from common.domain.hot import TypeCount
from common.domain.windows import HOUR
from common.models import AggregationResult, AnomalyAlert, AnomalyFinding
from common.ports.aggregates import HourProgress, TypeSpan
from common.ports.readings import RunRow

NINE = datetime(2026, 2, 20, 9, tzinfo=UTC)
"""An hour of the past."""


def at(hour: int, minute: int = 0) -> datetime:
    return NINE.replace(hour=hour, minute=minute)


def settled(hour: datetime) -> HourProgress:
    return HourProgress(hour, generation=3, aggregated_generation=3, status="final")


def reopened(hour: datetime) -> HourProgress:
    return HourProgress(hour, 4, aggregated_generation=3, status="final", is_open=True)


def untouched(hour: datetime) -> HourProgress:
    """An hour with events that no aggregation has seen."""
    return HourProgress(hour, generation=1, is_open=True)


def result(event_type: str, hour: datetime, count: int, **changes: Any) -> AggregationResult:
    values = {
        "event_type": event_type,
        "window_start": hour,
        "window_end": hour + HOUR,
        "count": count,
        "errors": 0,
        "unique_users": 0,
        "latency_count": 0,
        "status": "final",
        "generation": 3,
        "updated_at": hour + HOUR + timedelta(minutes=7),
    }
    return AggregationResult.model_validate(values | changes)


def hot(count: int, errors: int = 0, latencies: tuple[float, ...] = ()) -> TypeCount:
    return TypeCount(count, errors, Histogram.of(latencies).encode() if latencies else None)


def type_entry(name: str, first: datetime = NINE, last: datetime = NINE) -> TypeSpan:
    return TypeSpan(name, first, last)


def alert(event_type: str, hour: datetime, direction: str = "up") -> AnomalyAlert:
    finding = AnomalyFinding.model_validate(
        {
            "metric": "count",
            "value": 950.0,
            "direction": direction,
            "z_score": 11.25,
            "threshold": 3.0,
            "baseline_mean": 100.5,
            "baseline_sd": 75.5,
            "baseline_windows": 96,
            "expected_low": 0.0,
            "expected_high": 327.0,
            "explanation": f"950 {event_type} events: expected 0 to 327",
        }
    )
    return AnomalyAlert.of(result(event_type, hour, 950), finding, now=hour + HOUR)


def run(started_at: str, name: str = "run-1", **changes: Any) -> RunRow:
    values = {
        "key": f"{started_at}#{name}",
        "run_id": name,
        "status": "SUCCEEDED",
        "started_at": started_at,
        "finished_at": started_at,
        "window_start": "2026-02-20T09:00:00.000Z",
        "window_end": "2026-02-20T10:00:00.000Z",
        "hours": 1,
        "events": 120,
        "anomalies": 0,
    }
    return RunRow(**(values | changes))
