"""A series of one metric, from hourly results and from the hot windows of younger hours.

Hourly results are exact: deduplicated, late events included. Hot windows are seconds behind the
clients, count a repeated event again, and hold no users. So an hour is answered from its result
once that is final and complete; until then from whichever of both has seen more events, and the
point says ``provisional``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from common.domain.histogram import Histogram
from common.domain.hot import TypeCount
from common.domain.keys import ALL_TYPES
from common.domain.windows import HOUR, hour_of
from common.models import AggregationResult, ResultStatus
from common.ports.aggregates import HourProgress
from common.ports.readings import HotSlice, Readings
from query.metrics_query import DAY, QUANTILES, MetricsQuery, floor

MOST_HOURS = 2400
"""Hours that one page of days reads, 100 days; a longer series has more pages."""


@dataclass(frozen=True, slots=True)
class Point:
    """The metric in one window ``[start, end)``; ``None`` when nothing was there to measure."""

    start: datetime
    end: datetime
    value: int | float | None
    status: ResultStatus


@dataclass(frozen=True, slots=True)
class Page:
    """Points, oldest first, and where the next page starts when there is one."""

    points: list[Point]
    next_start: datetime | None = None


def series(query: MetricsQuery, readings: Readings, now: datetime) -> Page:
    """Read one page of a series.

    A window without a stored event of the type has no point. Hours that were aggregated while the
    type was known have one even when it did not occur: its value is 0.
    """
    if query.granularity == "5m":
        return _five_minutes(query, readings)
    if query.granularity == "1h":
        return _hours(query, readings)
    return _days(query, readings, now)


def why_empty(query: MetricsQuery, readings: Readings) -> str:
    """Say what it can mean that a series has no point."""
    states = readings.hours(query.start, query.end, MOST_HOURS)
    if query.event_type == ALL_TYPES:
        hint = "no event of this span is counted"
    else:
        hint = (
            "no event of this type is counted in this span: GET /event-types lists the types "
            "there are"
        )
    if any(state.is_dirty for state in states):
        return f"{hint}; {_WAITING}"
    return f"{hint}; {_NOT_LIVE}" if states and query.granularity == "5m" else hint


_WAITING = (
    "it has hours with events that no run of the hourly ETL has seen yet, and of them only those "
    "that came live are counted before: `eventstream etl run` starts a run"
)
_NOT_LIVE = "five-minute windows leave late and replayed events out, granularity=1h has them"


def _settled(state: HourProgress) -> bool:
    """Say whether an hour's results are final, nothing came since, and no run will look again."""
    return state.status == "final" and not state.is_dirty and not state.is_open


def _five_minutes(query: MetricsQuery, readings: Readings) -> Page:
    wanted = query.limit // 12 + 2
    states = readings.hours(hour_of(query.start), query.end, wanted + 1)
    hours = [state.hour for state in states[:wanted]]
    points = [
        Point(start, start + query.width, _hot_value(query.metric, cells), "provisional")
        for start, cells in sorted(_cells(query, readings, hours).items())
        if query.start <= start < query.end
    ]
    if len(points) > query.limit:
        return Page(points[: query.limit], points[query.limit].start)
    return Page(points, states[wanted].hour if len(states) > wanted else None)


def _hours(query: MetricsQuery, readings: Readings) -> Page:
    states = readings.hours(query.start, query.end, query.limit + 1)
    points = _hour_points(query, readings, states[: query.limit])
    return Page(points, states[query.limit].hour if len(states) > query.limit else None)


def _days(query: MetricsQuery, readings: Readings, now: datetime) -> Page:
    wanted = min(query.limit * 24, MOST_HOURS)
    states = readings.hours(query.start, query.end, wanted + 1)
    by_day: dict[datetime, list[HourProgress]] = defaultdict(list)
    for state in states:
        by_day[floor(state.hour, DAY)].append(state)
    days = sorted(by_day)
    # The hour over the wanted ones shows where reading broke off: its day is not complete.
    whole = [day for day in days if len(states) <= wanted or day < days[-1]][: query.limit]
    rest = days[len(whole) :]
    hours = [state for day in whole for state in by_day[day]]
    points: dict[datetime, list[Point]] = defaultdict(list)
    for point in _hour_points(query, readings, hours):
        points[floor(point.start, DAY)].append(point)
    return Page(
        [_day_point(day, points[day], by_day[day], now) for day in whole if points[day]],
        rest[0] if rest else None,
    )


def _day_point(
    day: datetime, points: Sequence[Point], states: Sequence[HourProgress], now: datetime
) -> Point:
    over = day + DAY + HOUR <= now  # an hour without events may still be on its way for a while
    settled = all(_settled(state) for state in states) and all(
        point.status == "final" for point in points
    )
    total = sum(point.value or 0 for point in points)
    return Point(day, day + DAY, total, "final" if over and settled else "provisional")


def _hour_points(
    query: MetricsQuery, readings: Readings, states: Sequence[HourProgress]
) -> list[Point]:
    if not states:
        return []
    rows = readings.type_hours(query.event_type, states[0].hour, states[-1].hour + HOUR)
    open_hours = [state.hour for state in states if not _settled(state)]
    hot: dict[datetime, list[TypeCount]] = defaultdict(list)
    for start, cells in _cells(query, readings, open_hours).items():
        hot[hour_of(start)].extend(cells)
    points = (_hour_point(query, state, rows.get(state.hour), hot[state.hour]) for state in states)
    return [point for point in points if point is not None]


def _hour_point(
    query: MetricsQuery,
    state: HourProgress,
    row: AggregationResult | None,
    cells: Sequence[TypeCount],
) -> Point | None:
    if row is None and not cells:
        return None
    status: ResultStatus = "provisional"
    if row is not None and (
        query.metric == "unique_users" or row.count >= sum(cell.count for cell in cells)
    ):
        value = getattr(row, query.metric)
        status = "final" if _settled(state) and row.status == "final" else "provisional"
    else:
        value = _hot_value(query.metric, cells)
    return Point(state.hour, state.hour + HOUR, value, status)


def _cells(
    query: MetricsQuery, readings: Readings, hours: Sequence[datetime]
) -> dict[datetime, list[TypeCount]]:
    """Return the cells of the type (or all types) by the start of their window."""
    every = query.event_type == ALL_TYPES
    cells: dict[datetime, list[TypeCount]] = defaultdict(list)
    for part in readings.hot_slices(hours, None if every else query.event_type):
        cells[part.start].extend(_of_type(part, query.event_type))
    return {start: found for start, found in cells.items() if found}


def _of_type(part: HotSlice, event_type: str) -> Iterable[TypeCount]:
    if event_type == ALL_TYPES:
        return part.types.values()
    cell = part.types.get(event_type)
    return () if cell is None else (cell,)


def _hot_value(metric: str, cells: Iterable[TypeCount]) -> int | float | None:
    if metric == "count":
        return sum(cell.count for cell in cells)
    if metric == "errors":
        return sum(cell.errors for cell in cells)
    if metric not in QUANTILES:
        return None
    merged = Histogram()
    for cell in cells:
        if cell.latency is not None:
            merged = merged.merged(Histogram.decode(cell.latency))
    estimate = merged.quantile(QUANTILES[metric])
    return None if estimate is None else round(estimate, 3)
