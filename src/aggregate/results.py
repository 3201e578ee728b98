"""From an hour's figures to the results of its types, judged against their past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from aggregate.baselines import Baselines
from aggregate.figures import Figures, HourFigures
from common.domain.anomaly import find_anomalies
from common.domain.keys import ALL_TYPES, OTHER_TYPES
from common.domain.windows import HOUR
from common.models import AggregationResult
from common.ports.aggregates import HourSummary, SchemaUse, TypeSpan

Catalogue = Mapping[str, TypeSpan]


def expected_types(catalogue: Catalogue, hour: datetime, baseline: timedelta) -> Catalogue:
    """Choose the types that get a result even without events: those of the baseline's hours."""
    return {
        name: span
        for name, span in catalogue.items()
        if span.first_hour <= hour and span.last_hour >= hour - baseline
    }


def outside_catalogue(figures: HourFigures, catalogue: Catalogue, hour: datetime) -> list[str]:
    """Choose the hour's types that the catalogue does not have, or not as of this hour.

    Of those that were folded only the known ones: nobody shall fill the catalogue with names.
    """
    return [
        name
        for name in sorted({*figures.types, *figures.folded_known})
        if name not in catalogue
        or not catalogue[name].first_hour <= hour <= catalogue[name].last_hour
    ]


def make_results(
    summary: HourSummary, figures: HourFigures, expected: Catalogue
) -> list[AggregationResult]:
    """Make a result for each type, and one for all types together.

    An expected type that was folded has a result too, which says that and no figure. An hour
    without events, of which nothing is expected, has none.
    """
    names = sorted({*figures.types, *expected})
    rows = {name: figures.types.get(name, Figures()) for name in names}
    folded = frozenset(figures.folded_known)
    if rows:
        rows[ALL_TYPES] = figures.total
    return [
        AggregationResult(
            event_type=name,
            window_start=summary.hour,
            window_end=summary.hour + HOUR,
            status=summary.status,
            generation=summary.generation,
            attempt=summary.attempt,
            is_folded=name in folded,
            updated_at=summary.aggregated_at,
            **_stored(row),
        )
        for name, row in rows.items()
    ]


def _stored(row: Figures) -> dict[str, Any]:
    figures = asdict(row)
    del figures["schema_version"]  # the hour tells it, for all its types at once
    return figures


def schemas_in_use(figures: HourFigures) -> dict[str, SchemaUse]:
    """Return what schema the events of each type were held against; types without one are not in.

    A type's events that were folded into others of no schema say nothing.
    """
    return {
        name: SchemaUse(row.schema_version, row.schema_violations)
        for name, row in sorted(figures.types.items())
        if row.schema_version is not None and name != OTHER_TYPES
    }


def judge_results(
    results: Sequence[AggregationResult],
    expected: Catalogue,
    baselines: Baselines,
    threshold: float,
) -> list[AggregationResult]:
    """Compare each result with its type's past; one without a past or figures is not judged."""
    first_hours = {name: span.first_hour for name, span in expected.items()}
    if first_hours:
        first_hours[ALL_TYPES] = min(first_hours.values())
    has_past = [
        result.event_type
        for result in results
        if not result.is_folded
        and first_hours.get(result.event_type, result.window_start) < result.window_start
    ]
    baselines.load(has_past)
    return [
        _judged(result, first_hours[result.event_type], baselines, threshold)
        if result.event_type in has_past
        else result
        for result in results
    ]


def _judged(
    result: AggregationResult, first_hour: datetime, baselines: Baselines, threshold: float
) -> AggregationResult:
    past = baselines.before(result.event_type, result.window_start, first_hour)
    findings = find_anomalies(result, past, threshold=threshold)
    return result.model_copy(update={"anomalies": findings}) if findings else result
