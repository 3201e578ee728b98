"""The actions by name, and what the state machine is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aggregate.deps import Deps
from aggregate.hour import HourOutcome
from aggregate.outbox import notify
from aggregate.requests import require_range
from aggregate.service import aggregate, determine
from common.domain.windows import HOUR, iso_hour, rfc3339
from common.errors import FieldError, InvalidRequestError


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Where an action tells what it did, beside its answer."""

    info: Callable[..., None]
    """Writes a line of the log: a message, and data by keyword."""
    warning: Callable[..., None]
    count: Callable[[str, int], None]
    """Adds to a metric: its name and a number."""


def answer(
    event: Mapping[str, Any], deps: Deps, telemetry: Telemetry, *, default_run_id: str
) -> dict[str, Any]:
    """Do the action that an event names; without one, aggregate the window that it gives.

    Raises
    ------
    InvalidRequestError
        The action is unknown, or its window is not valid; a repetition would not help.
    ThrottledError, StoreError
        A dependency failed; a repetition goes on from there.
    """
    action = event.get("action", "aggregate")
    if action == "determine":
        return _determine(event, deps, telemetry)
    if action == "aggregate":
        run_id = str(event.get("run_id") or default_run_id)
        return _aggregate(event, run_id, deps, telemetry)
    if action == "notify":
        return _notify(deps, telemetry)
    problem = FieldError("action", "unknown", "must be determine, aggregate or notify")
    raise InvalidRequestError(f"action {problem.message}", errors=[problem])


def _determine(event: Mapping[str, Any], deps: Deps, telemetry: Telemetry) -> dict[str, Any]:
    plan = determine(_request(event), deps)
    telemetry.info("hours determined", hours=len(plan.hours), left=plan.left)
    telemetry.count("HoursLeft", plan.left)
    if plan.left:
        telemetry.warning("open hours are left for a later run", left=plan.left)
    return {
        "windows": [
            {"window_start": rfc3339(hour), "window_end": rfc3339(hour + HOUR)}
            for hour in plan.hours
        ],
        **_span(plan.hours),
        "pending_alerts": plan.pending_alerts,
    }


def _request(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the run's own input, which the state machine nests; a direct caller need not."""
    given = event.get("input", event)
    if not isinstance(given, Mapping):
        problem = FieldError("input", "type", "must be a JSON object")
        raise InvalidRequestError(f"input {problem.message}", errors=[problem])
    return {"execution_started_at": event.get("execution_started_at"), **given}


def _aggregate(
    event: Mapping[str, Any], run_id: str, deps: Deps, telemetry: Telemetry
) -> dict[str, Any]:
    hours = require_range(event, deps.now())
    outcomes = []
    for outcome in aggregate(hours, run_id, deps):
        _tell(outcome, telemetry)
        outcomes.append(outcome)
    counted = [each for each in outcomes if not each.is_stale]
    anomalies = sum(each.anomalies for each in counted)
    is_final = all(each.status == "final" and not each.is_stale for each in outcomes)
    return {
        **_span(hours),
        "events": sum(each.events for each in counted),
        "types": len({name for each in counted for name in each.types}),
        "anomaly_detected": anomalies > 0,
        "anomalies": anomalies,
        "status": "final" if is_final else "provisional",
    }


def _tell(outcome: HourOutcome, telemetry: Telemetry) -> None:
    telemetry.count("HoursAggregated", int(not outcome.is_stale))
    if outcome.is_stale:
        telemetry.info("a newer run overtook this one", hour=iso_hour(outcome.hour))
        return
    telemetry.info(
        "hour aggregated",
        hour=iso_hour(outcome.hour),
        status=outcome.status,
        events=outcome.events,
        duplicates=outcome.duplicates,
        objects=outcome.objects,
        types=len(outcome.types),
        anomalies=outcome.anomalies,
        late=outcome.is_late,
    )
    telemetry.count("AnomaliesFound", outcome.anomalies)
    telemetry.count("LateHours", int(outcome.is_late))


def _notify(deps: Deps, telemetry: Telemetry) -> dict[str, Any]:
    outcome = notify(deps)
    telemetry.info("alerts sent", sent=outcome.sent, pending=outcome.pending)
    telemetry.count("AlertsPublished", outcome.sent)
    if outcome.failure is not None:
        raise outcome.failure
    return {"sent": outcome.sent, "pending": outcome.pending}


def _span(hours: Sequence[datetime]) -> dict[str, Any]:
    return {
        "window_start": rfc3339(hours[0]),
        "window_end": rfc3339(hours[-1] + HOUR),
        "hours": len(hours),
    }
