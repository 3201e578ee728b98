"""What ``GET /metrics`` may be asked, as one checked value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.domain.windows import HOUR, METRIC_WINDOW, from_ms, to_ms
from query import cursor
from query.params import EARLIEST, ParamReader

DAY = timedelta(days=1)
WIDTHS = {"5m": METRIC_WINDOW, "1h": HOUR, "1d": DAY}
"""Width of a point's window, by granularity."""

QUANTILES = {"latency_p50": 0.5, "latency_p90": 0.9, "latency_p95": 0.95, "latency_p99": 0.99}
METRICS = ("count", "errors", "unique_users", *QUANTILES)

DEFAULT_SPAN = timedelta(hours=24)
MAX_POINTS = 1000

_PARAMETERS = ("event_type", "metric", "granularity", "from", "to", "limit", "cursor")
_CURSOR = re.compile(r"(\d{1,13})\n(\d{1,13})", re.ASCII)


@dataclass(frozen=True, slots=True)
class MetricsQuery:
    """A series that is asked for: windows that overlap ``[start, end)``, at most ``limit``."""

    event_type: str
    metric: str
    granularity: str
    start: datetime
    """A boundary of the granularity's windows, as ``end`` is."""
    end: datetime
    limit: int

    @property
    def width(self) -> timedelta:
        """Width of a point's window."""
        return WIDTHS[self.granularity]


def read_metrics_query(query: Mapping[str, str], now: datetime) -> MetricsQuery:
    """Check the parameters of ``GET /metrics``.

    Parameters
    ----------
    query
        The decoded query string.
    now
        End of the span when ``to`` is not given.

    Raises
    ------
    InvalidRequestError
        Naming each parameter and the rule that it breaks.
    """
    reader = ParamReader(query, _PARAMETERS)
    event_type = reader.event_type()
    metric = reader.choice("metric", METRICS, "count")
    granularity = reader.choice("granularity", tuple(WIDTHS), "1h")
    _check_metric(reader, metric, granularity)
    limit = reader.limit(MAX_POINTS, MAX_POINTS)
    start, end = _span(reader, now)
    reader.done()
    width = WIDTHS[granularity]
    return MetricsQuery(
        event_type, metric, granularity, floor(start, width), ceiling(end, width), limit
    )


def next_cursor(start: datetime, end: datetime) -> str:
    """Return the cursor of the page that starts at ``start``."""
    return cursor.encode(str(to_ms(start)), str(to_ms(end)))


def floor(instant: datetime, width: timedelta) -> datetime:
    """Return the start of the window that holds an instant."""
    return EARLIEST + (instant - EARLIEST) // width * width


def ceiling(instant: datetime, width: timedelta) -> datetime:
    """Return the first boundary of windows that is not before an instant."""
    start = floor(instant, width)
    return start if start == instant else start + width


def _check_metric(reader: ParamReader, metric: str, granularity: str) -> None:
    """Refuse what nothing stored can answer, rather than answer something else."""
    if granularity == "5m" and metric == "unique_users":
        reader.refuse(
            "granularity",
            "too_fine",
            "1h is the finest for unique_users: five-minute windows hold no users",
        )
    if granularity == "1d" and metric not in ("count", "errors"):
        reader.refuse(
            "granularity",
            "not_additive",
            f"{metric} of a day cannot be added up from its hours; use 1h, or ask the lake: "
            "docs/sql.md has the SQL",
        )


def _span(reader: ParamReader, now: datetime) -> tuple[datetime, datetime]:
    end = reader.instant("to", now)
    start = reader.instant("from", max(end - DEFAULT_SPAN, EARLIEST))
    page = reader.cursor(_CURSOR)
    if page is not None:
        start, end = (from_ms(int(part)) for part in page)
    if start >= end and not reader.errors:
        reader.refuse("from", "empty_span", "must be before to")
    return start, end
