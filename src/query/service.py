"""The reading use cases: each takes the query string and returns the JSON object of the answer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from common.access import Access
from common.domain.keys import ALL_TYPES
from common.domain.windows import HOUR, from_ms, hour_of, iso_hour, rfc3339, to_ms
from common.ports.aggregates import SchemaUse, TypeSpan
from common.ports.readings import AlertRow, HotSlice, Readings, RunRow
from query import cursor
from query.events import StoredEvents
from query.metrics_query import ceiling, floor, next_cursor, read_metrics_query
from query.params import EARLIEST, ParamReader
from query.series import Point, series, why_empty
from query.sessions import StoredSessions

Json = dict[str, Any]

ALERT_SPAN = timedelta(days=7)
"""How far back anomalies are listed when ``from`` is not given."""
SCHEMA_SPAN = timedelta(hours=24)
"""Hours that the violations of a type's schema are added up over."""
MAX_ROWS = 1000
DEFAULT_ROWS = 100

_NO_SCHEMA: Json = {"last_schema": None, "schema_violations": None}

_TYPES_CURSOR = re.compile(r"([A-Za-z_][A-Za-z0-9_.:\- ]{0,127})")
_ALERTS_CURSOR = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d#[0-9a-f]{32})\n(\d{1,13})\n(\d{1,13})", re.ASCII
)
_RUNS_CURSOR = re.compile(r"(\d[\x20-\x7e]{0,255})")


@dataclass(frozen=True, slots=True)
class Deps:
    """The outside world of the query function."""

    readings: Readings
    now: Callable[[], datetime]
    access: Access
    sessions: StoredSessions | None = None
    """``None`` where none are computed."""
    events: StoredEvents | None = None
    """``None`` where none are kept by their ids."""


def metrics(query: Mapping[str, str], deps: Deps) -> Json:
    """Answer one page of a series; points that may still change say ``provisional``.

    Raises
    ------
    InvalidRequestError
        Naming each parameter and the rule that it breaks.
    """
    now = deps.now()
    asked = read_metrics_query(query, now)
    page = series(asked, deps.readings, now)
    body: Json = {
        "event_type": asked.event_type,
        "metric": asked.metric,
        "unit": _unit(asked.metric),
        "granularity": asked.granularity,
        "from": rfc3339(asked.start),
        "to": rfc3339(asked.end),
        "points": [_point(point) for point in page.points],
        "next_cursor": next_cursor(page.next_start, asked.end) if page.next_start else None,
    }
    is_empty = not page.points and not page.next_start
    return body | {"hint": why_empty(asked, deps.readings)} if is_empty else body


def _unit(metric: str) -> str:
    if metric.startswith("latency"):
        return "ms"
    return "users" if metric == "unique_users" else "events"


def _point(point: Point) -> Json:
    return {
        "start": rfc3339(point.start),
        "end": rfc3339(point.end),
        "value": point.value,
        "status": point.status,
    }


def event_types(query: Mapping[str, str], deps: Deps) -> Json:
    """Answer the types that were aggregated, or are in the hot windows since the hour before.

    Raises
    ------
    InvalidRequestError
        Naming each parameter and the rule that it breaks.
    """
    reader = ParamReader(query, ("limit", "cursor"))
    limit = reader.limit(MAX_ROWS, MAX_ROWS)
    [after] = reader.cursor(_TYPES_CURSOR) or [""]
    reader.done()
    entries = deps.readings.event_types(after, limit + 1)
    since = hour_of(deps.now()) - HOUR
    hot = deps.readings.hot_slices([since, since + HOUR])
    rows = _merged(entries, hot, after=after, upto=entries[-1] if len(entries) > limit else None)
    schemas_since = since + HOUR - SCHEMA_SPAN
    used = _schemas(deps.readings.schemas(schemas_since, since + 2 * HOUR))
    return {
        "event_types": [row | used.get(row["event_type"], _NO_SCHEMA) for row in rows[:limit]],
        "recent_since": rfc3339(since),
        "schemas_since": rfc3339(schemas_since),
        "next_cursor": cursor.encode(rows[limit - 1]["event_type"]) if len(rows) > limit else None,
    }


def _merged(
    entries: list[TypeSpan], hot: list[HotSlice], *, after: str, upto: TypeSpan | None
) -> list[Json]:
    """Return the rows of the catalogue and of the hot windows, by name, in ``(after, upto]``."""
    spans = {each.event_type: [each.first_hour, each.last_hour] for each in entries}
    recent: Counter[str] = Counter()
    for part in hot:
        for name, cell in part.types.items():
            if name > after and (upto is None or name <= upto.event_type):
                hour = hour_of(part.start)
                first, last = spans.get(name, (hour, hour))
                spans[name] = [min(first, hour), max(last, hour)]
                recent[name] += cell.count
    return [
        {
            "event_type": name,
            "first_hour": rfc3339(first),
            "last_hour": rfc3339(last),
            "recent_events": recent[name],
        }
        for name, (first, last) in sorted(spans.items())
        if name != ALL_TYPES
    ]


def _schemas(hours: Mapping[datetime, Mapping[str, SchemaUse]]) -> dict[str, Json]:
    """Add up, by type, what the hours say of its schema; the newest hour names it."""
    found: dict[str, Json] = {}
    for _, types in sorted(hours.items()):
        for name, use in types.items():
            before = found.get(name, {"schema_violations": 0})
            found[name] = {
                "last_schema": f"{name}/{use.version}",
                "schema_violations": before["schema_violations"] + use.violations,
            }
    return found


def anomalies(query: Mapping[str, str], deps: Deps) -> Json:
    """Answer one page of alerts, newest hour first.

    Raises
    ------
    InvalidRequestError
        Naming each parameter and the rule that it breaks.
    """
    reader = ParamReader(query, ("event_type", "from", "to", "limit", "cursor"))
    # Alerts of all types together are a type of their own here: only a given type filters.
    event_type = reader.event_type() if "event_type" in query else None
    limit = reader.limit(DEFAULT_ROWS, MAX_ROWS)
    end = reader.instant("to", deps.now())
    start = reader.instant("from", max(end - ALERT_SPAN, EARLIEST))
    before, page = None, reader.cursor(_ALERTS_CURSOR)
    if page is not None:
        before, start, end = page[0], from_ms(int(page[1])), from_ms(int(page[2]))
        if not iso_hour(start) <= before < iso_hour(end):
            reader.refuse("cursor", "bad_cursor", "must be the next_cursor of an answer here")
    elif start >= end and not reader.errors:
        reader.refuse("from", "empty_span", "must be before to")
    reader.done()
    start, end = floor(start, HOUR), ceiling(end, HOUR)
    rows = deps.readings.alerts(start, end, limit + 1, event_type=event_type, before=before)
    span = (str(to_ms(start)), str(to_ms(end)))
    return {
        "from": rfc3339(start),
        "to": rfc3339(end),
        "anomalies": [_alert(row) for row in rows[:limit]],
        "next_cursor": cursor.encode(rows[limit - 1].key, *span) if len(rows) > limit else None,
    }


def _alert(row: AlertRow) -> Json:
    alert = row.alert
    return {
        "alert_id": alert.alert_id,
        "event_type": alert.event_type,
        "window_start": rfc3339(alert.window_start),
        "window_end": rfc3339(alert.window_end),
        "finding": alert.finding.model_dump(mode="json"),
        "state": row.state,
        "created_at": rfc3339(alert.created_at),
        "sent_at": row.sent_at,
        "resolved_at": row.resolved_at,
    }


def runs(query: Mapping[str, str], deps: Deps) -> Json:
    """Answer one page of the hourly ETL's runs, newest first.

    Raises
    ------
    InvalidRequestError
        Naming each parameter and the rule that it breaks.
    """
    reader = ParamReader(query, ("limit", "cursor"))
    limit = reader.limit(DEFAULT_ROWS, MAX_ROWS)
    page = reader.cursor(_RUNS_CURSOR)
    reader.done()
    rows = deps.readings.runs(limit + 1, before=page[0] if page else None)
    return {
        "runs": [_run(row) for row in rows[:limit]],
        "next_cursor": cursor.encode(rows[limit - 1].key) if len(rows) > limit else None,
    }


def _run(row: RunRow) -> Json:
    return {name: value for name, value in asdict(row).items() if name != "key"}


def health(query: Mapping[str, str], deps: Deps) -> Json:
    """Answer ``status`` ``ok`` when every table can be read, else ``failing``.

    Raises
    ------
    InvalidRequestError
        A parameter was given.
    """
    ParamReader(query, ()).done()
    checks = deps.readings.check()
    if deps.sessions is not None:
        checks |= {"sessions_table": deps.sessions.readings.check()}
    if deps.events is not None:
        checks |= {"event_index_table": deps.events.readings.check()}
    return {
        "status": "ok" if all(checks.values()) else "failing",
        "checks": {name: "ok" if well else "failing" for name, well in checks.items()},
    }
