"""Whether an hour of a type is unlike the hours before it, and a sentence that says why.

The method is :mod:`common.domain.zscore`; its limits and how to tune it: ``docs/anomalies.md``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Self, get_args

from common.domain.keys import ALL_TYPES
from common.domain.zscore import Verdict, count_floor, judge, latency_floor
from common.models import AggregationResult, AnomalyFinding, Metric

MIN_LATENCIES = 20
"""Fewer latencies than this and their 95th percentile is little but the largest of them."""

METRICS: tuple[Metric, ...] = get_args(Metric)


@dataclass(frozen=True, slots=True)
class PastHour:
    """What the result of one type in one past hour says, as far as a baseline needs it."""

    hour: datetime
    is_final: bool
    """Whether the figures are known for good; those of a folded type are not known at all."""
    count: int = 0
    errors: int = 0
    unique_users: int = 0
    latency_count: int = 0
    latency_p95: float | None = None

    @classmethod
    def of(cls, result: AggregationResult) -> Self:
        """Take from a result what a baseline needs."""
        return cls(
            hour=result.window_start,
            is_final=result.status == "final" and not result.is_folded,
            count=result.count,
            errors=result.errors,
            unique_users=result.unique_users,
            latency_count=result.latency_count,
            latency_p95=result.latency_p95,
        )


def baseline_of(
    history: Mapping[datetime, PastHour],
    hours: Iterable[datetime],
    *,
    final_hours: Set[datetime],
    first_hour: datetime,
) -> list[PastHour]:
    """Choose the past hours of a type that may be compared with.

    Parameters
    ----------
    history
        What is stored of the type, by hour.
    hours
        The hours of the baseline, the one under test left out.
    final_hours
        Hours whose own state is final and that have every type by its name: all of the hour was
        seen, so a type that is not in it was observed not to occur.
    first_hour
        The first hour that the type ever occurred in; before it, nothing was expected.

    Returns
    -------
    list of PastHour
        Final hours only. An hour without a result is a zero if it is in ``final_hours`` and not
        before ``first_hour``; else it is unknown, which is not zero, and is left out.
    """
    chosen = []
    for hour in hours:
        past = history.get(hour)
        if past is None and hour in final_hours and hour >= first_hour:
            past = PastHour(hour, is_final=True)
        if past is not None and past.is_final:
            chosen.append(past)
    return chosen


def find_anomalies(
    result: AggregationResult, baseline: Sequence[PastHour], *, threshold: float
) -> tuple[AnomalyFinding, ...]:
    """Judge every metric of a result that can be judged.

    Parameters
    ----------
    result
        The type's figures in the window under test.
    baseline
        The same type's past hours, see :func:`baseline_of`.
    threshold
        See :func:`judge`.

    Returns
    -------
    tuple of AnomalyFinding
        In the order of :data:`METRICS`; empty when nothing is unusual or the baseline is short.
        A latency is judged only over windows with at least :data:`MIN_LATENCIES` of them.
    """
    now = PastHour.of(result)
    findings = []
    for metric in METRICS:
        value = _value(metric, now)
        if value is None:
            continue
        past = [number for each in baseline if (number := _value(metric, each)) is not None]
        floor = latency_floor if metric == "latency_p95" else count_floor
        verdict = judge(value, past, threshold=threshold, floor=floor)
        if verdict.z_score is not None and verdict.is_anomaly:
            findings.append(_finding(result, metric, verdict, verdict.z_score))
    return tuple(findings)


def _value(metric: Metric, of: PastHour) -> float | None:
    """Return a metric, or ``None`` where the hour cannot tell it."""
    if metric == "latency_p95" and of.latency_count < MIN_LATENCIES:
        return None
    number: float | None = getattr(of, metric)
    return number


def _finding(
    result: AggregationResult, metric: Metric, verdict: Verdict, z_score: float
) -> AnomalyFinding:
    low, high = verdict.expected
    return AnomalyFinding(
        metric=metric,
        value=round(verdict.value, 3),
        direction=verdict.direction,
        z_score=round(z_score, 3),
        threshold=verdict.threshold,
        baseline_mean=round(verdict.mean, 3),
        baseline_sd=round(verdict.sd, 3),
        baseline_windows=verdict.windows,
        expected_low=round(low, 3),
        expected_high=round(high, 3),
        explanation=explain(result, metric, verdict),
    )


def explain(result: AggregationResult, metric: Metric, verdict: Verdict) -> str:
    """Say in one sentence what was seen, what was expected, and how far apart they are.

    Every number that the z-score was computed from is in it, so that a reader can check it.
    """
    low, high = verdict.expected
    if metric != "latency_p95":
        low, high = math.floor(low), math.ceil(high)
    span = f"{result.window_start:%H:%M} and {result.window_end:%H:%M} UTC"
    side = "above" if verdict.direction == "up" else "below"
    floored = " (the lowest that is used)" if verdict.is_floored else ""
    return (
        f"{_subject(result.event_type, metric, verdict.value)} between {span}, "
        f"expected {_number(low)}..{_number(high)} "
        f"(mean {_number(verdict.mean)}, sd {_number(verdict.sd)}{floored} "
        f"over {verdict.windows} hours): "
        f"{abs(verdict.z_score or 0.0):.1f} sd {side}, threshold {verdict.threshold:g}"
    )


def _subject(event_type: str, metric: Metric, value: float) -> str:
    everything = event_type == ALL_TYPES
    events = "events of all types" if everything else f"{event_type} events"
    number = _number(value)
    return {
        "count": f"{number} {events}",
        "errors": f"{number} errors among {events}",
        "unique_users": f"{number} unique users of {events}",
        "latency_p95": f"a 95th percentile latency of {number} ms of {events}",
    }[metric]


def _number(value: float) -> str:
    """Spell a number as a person would: whole, with one decimal, or below 10 with three digits."""
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3g}"
