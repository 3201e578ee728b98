"""One hour from the lake to its results, so that any crash or race is put right by a re-run.

The order of the steps is what makes it so; ``docs/etl.md`` says why, and the fault tests run
this code with other orders, which must fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from aggregate.baselines import Baselines
from aggregate.deps import Deps
from aggregate.figures import HourFigures
from aggregate.finality import is_final
from aggregate.results import (
    expected_types,
    judge_results,
    make_results,
    outside_catalogue,
    schemas_in_use,
)
from common.errors import ConditionLostError
from common.models import AggregationResult, AnomalyAlert, ResultStatus
from common.ports.aggregates import HourProgress, HourSummary


@dataclass(frozen=True, slots=True)
class Run:
    """What the hours of one invocation have in common."""

    run_id: str
    watermark: datetime | None
    """See :func:`aggregate.finality.read_watermark`. Read before any hour's rows are, so that an
    hour is called final only on rows that were in the lake when the stream was found drained."""
    baselines: Baselines


@dataclass(frozen=True, slots=True)
class HourOutcome:
    """What one aggregation of one hour came to."""

    hour: datetime
    status: ResultStatus
    events: int
    duplicates: int
    """Further copies of events, which were not counted."""
    objects: int
    types: tuple[str, ...]
    """Types with events, sorted."""
    anomalies: int
    is_late: bool
    """Whether the hour had been final before, and events came since."""
    is_stale: bool
    """Whether a newer run overtook this one; its results stand, and these do not."""


def aggregate_hour(hour: datetime, run: Run, deps: Deps) -> HourOutcome:
    """Compute an hour's results and write them under the attempt that was counted first.

    The hour is open from then on. Rows that come meanwhile raise the generation, and whoever
    begins meanwhile the attempt, so that the hour stays open and is computed again. A run that a
    newer one has overtaken writes nothing over its results.

    Raises
    ------
    ThrottledError, StoreError
        The hour may be half written; doing it again puts it right.
    """
    progress = deps.store.begin(hour)
    catalogue = deps.store.known_types()
    expected = expected_types(catalogue, hour, deps.rules.baseline)
    figures = deps.read_hour(hour, {name: span.first_hour for name, span in expected.items()})
    summary = _summary(progress, _status(progress, run, deps), figures, run.run_id, deps.now())
    results = make_results(summary, figures, expected)
    if summary.status == "final":
        results = judge_results(results, expected, run.baselines, deps.rules.threshold)
    # Before the results: a type that has a result must be known to every later run.
    deps.store.widen_types(outside_catalogue(figures, catalogue, hour), hour)
    is_stale = not _write(summary, results, deps)
    if not is_stale:
        run.baselines.learn(summary, results)
    return HourOutcome(
        hour=hour,
        status=summary.status,
        events=summary.events,
        duplicates=figures.rows - summary.events,
        objects=figures.objects,
        types=summary.types,
        anomalies=sum(len(result.anomalies) for result in results),
        is_late=progress.is_late,
        is_stale=is_stale,
    )


def _status(progress: HourProgress, run: Run, deps: Deps) -> ResultStatus:
    """Say whether the results will be final; what was, and saw no row since, is so still."""
    is_still = progress.status == "final" and not progress.is_dirty
    is_now = is_final(progress.hour, run.watermark, deps.rules.grace)
    return "final" if is_still or is_now else "provisional"


def _summary(
    progress: HourProgress, status: ResultStatus, figures: HourFigures, run_id: str, now: datetime
) -> HourSummary:
    return HourSummary(
        hour=progress.hour,
        generation=progress.generation,
        status=status,
        events=figures.total.count,
        errors=figures.total.errors,
        unique_users=figures.total.unique_users,
        types=tuple(sorted(figures.types)),
        aggregated_at=now,
        run_id=run_id,
        attempt=progress.attempt,
        folded=figures.folded,
        schemas=schemas_in_use(figures),
    )


def _write(summary: HourSummary, results: Sequence[AggregationResult], deps: Deps) -> bool:
    """Write results, then alerts, then the hour; ``False`` when a newer run was there first.

    An overtaken run may have written a type or an alert that the newer one did not know of, so
    it has the hour looked at once more.
    """
    try:
        deps.store.put_results(results)
        if summary.status == "final":
            _write_alerts(summary, results, deps)
        deps.store.finish_hour(summary)
    except ConditionLostError:
        deps.store.reopen_hour(summary.hour)
        return False
    return True


def _write_alerts(summary: HourSummary, results: Sequence[AggregationResult], deps: Deps) -> None:
    alerts = [
        AnomalyAlert.of(result, finding, now=summary.aggregated_at)
        for result in results
        for finding in result.anomalies
    ]
    deps.alerts.record(alerts, summary.attempt)
    still = frozenset(alert.alert_id for alert in alerts)
    deps.alerts.resolve(summary.hour, still, summary.attempt, summary.aggregated_at)
