"""The exact figures of one hour, computed by DuckDB over the hour's Parquet files.

Memory is bounded by DuckDB's limit, with spill to disk: rows are read into a table a few files at
a time, duplicates are found by grouping and users are counted by grouping, all of which DuckDB
does out of core; ``count(distinct)`` and a scan of all files at once it would not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from aggregate.lake_table import make_events
from common.domain.keys import OTHER_TYPES
from common.domain.windows import iso_hour
from common.errors import StoreError

MAX_TYPES_PER_HOUR = 500
"""Types with results of their own in one hour; the rest are added up as ``_other``.

A client that makes up types could else grow the hour's item past what DynamoDB takes (400 KB),
and the hour would never be finished.
"""

THREADS = 2

_PERCENTILES = (0.5, 0.9, 0.95, 0.99)

# ISO hours order as the hours do.
_RANKED = """
    CREATE TEMP TABLE ranked AS
    SELECT event_type, first_hour, row_number() OVER (
        ORDER BY first_hour NULLS LAST, events DESC, event_type
    ) AS place
    FROM (SELECT event_type, count(*) AS events FROM events GROUP BY event_type)
    LEFT JOIN (SELECT unnest($names) AS event_type, unnest($hours) AS first_hour)
        USING (event_type)
"""

_FOLDED_KNOWN = """
    SELECT event_type FROM ranked WHERE place > $most AND first_hour IS NOT NULL
    ORDER BY event_type
"""

_FOLD = """
    UPDATE events SET event_type = $other
    WHERE event_type IN (SELECT event_type FROM ranked WHERE place > $most)
"""

_FIGURES = f"""
    SELECT event_type, grouping(event_type) = 1, count(*), count(*) FILTER (is_error),
        count(latency_ms), quantile_cont(latency_ms, {list(_PERCENTILES)}),
        count(*) FILTER (breaks_schema), max(schema_version)
    FROM events GROUP BY GROUPING SETS ((event_type), ())
"""  # noqa: S608 - of constants only

_USERS = """
    SELECT event_type, count(*) FROM (
        SELECT DISTINCT event_type, person FROM events WHERE person IS NOT NULL
    ) GROUP BY event_type
"""

_ALL_USERS = "SELECT count(*) FROM (SELECT DISTINCT person FROM events WHERE person IS NOT NULL)"


@dataclass(frozen=True, slots=True)
class Figures:
    """What one hour adds up to for one type, or for all types together."""

    count: int = 0
    errors: int = 0
    unique_users: int = 0
    latency_count: int = 0
    latency_p50: float | None = None
    latency_p90: float | None = None
    latency_p95: float | None = None
    latency_p99: float | None = None
    schema_violations: int = 0
    schema_version: int | None = None
    """Newest version of the type's schema that events were held against; of all types, none."""


@dataclass(frozen=True, slots=True)
class HourFigures:
    """The figures of one hour."""

    total: Figures = field(default_factory=Figures)
    types: Mapping[str, Figures] = field(default_factory=dict)
    """By event type; only types with events."""
    rows: int = 0
    """Rows of the lake that were read; ``rows - total.count`` are further copies of an event."""
    objects: int = 0
    folded: int = 0
    """Types with events that were added up as ``_other`` for want of room."""
    folded_known: tuple[str, ...] = ()
    """Those of them that are known, sorted. What they come to in this hour is not known."""


def compute(
    files: Mapping[Path, str], scratch: Path, *, known: Mapping[str, datetime], memory_mb: int
) -> HourFigures:
    """Count each event of some Parquet files once.

    Parameters
    ----------
    files
        Local files, and the key of the lake object that each one is a copy of. Columns that
        only newer files have are null in the older ones.
    scratch
        Directory to spill to; must be the files' own or beside them, under one parent.
    known
        Known types, and the first hour that each occurred in. Once there are more than
        :data:`MAX_TYPES_PER_HOUR`, the oldest keep a result of their own, then the commonest of
        the others: made-up types must not push out those that were there before.
    memory_mb
        Memory that DuckDB may use, in MiB.

    Returns
    -------
    HourFigures
        Events are the same when ``(source, event_id)`` is; the copy that was received first
        counts. A user is a distinct ``user_id``, else ``anonymous_id``, in one space of names,
        as in the sample SQL; events with neither are nobody's. Percentiles interpolate linearly
        between the two nearest latencies and are rounded to a microsecond.

    Raises
    ------
    StoreError
        An object is no Parquet file with the lake's columns, naming it; or the hour does not
        fit the memory.
    """
    if not files:
        return HourFigures()
    try:
        with _connect(scratch, memory_mb) as connection:
            return _compute(connection, [str(file) for file in files], known)
    except duckdb.OutOfMemoryException as error:
        raise StoreError(
            f"the hour does not fit {memory_mb} MiB: raise DUCKDB_MEMORY_MB and MemorySize, or "
            "EphemeralStorage, of AggregateFunction"
        ) from error
    except duckdb.Error as error:
        culprit = next((key for file, key in files.items() if str(file) in str(error)), None)
        if culprit is None:
            raise
        raise StoreError(
            f"the lake object {culprit} cannot be read ({type(error).__name__}): move it out of "
            "events/ to go on without it"
        ) from error


def _connect(scratch: Path, memory_mb: int) -> duckdb.DuckDBPyConnection:
    """Open a database in memory that reaches its own directories and no network."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{memory_mb}MiB",
            "threads": THREADS,
            "temp_directory": str(scratch),
            "preserve_insertion_order": False,
        },
    )
    connection.execute("SET allowed_directories = [$here]", {"here": str(scratch.parent)})
    connection.execute("SET enable_external_access = false")
    return connection


def _compute(
    connection: duckdb.DuckDBPyConnection, files: list[str], known: Mapping[str, datetime]
) -> HourFigures:
    rows = make_events(connection, files)
    folded, folded_known = _cap_types(connection, known)
    users: dict[str, int] = dict(connection.execute(_USERS).fetchall())
    total, types = Figures(), {}
    for event_type, is_total, *numbers in connection.execute(_FIGURES).fetchall():
        if is_total:
            # Versions of several types are not one another's.
            total = replace(_figures(numbers, _number(connection, _ALL_USERS)), schema_version=None)
        else:
            types[event_type] = _figures(numbers, users.get(event_type, 0))
    return HourFigures(total, types, rows, len(files), folded, folded_known)


def _cap_types(
    connection: duckdb.DuckDBPyConnection, known: Mapping[str, datetime]
) -> tuple[int, tuple[str, ...]]:
    """Call the types beyond the cap ``_other``; return how many, and the known ones of them."""
    surplus = _number(connection, "SELECT count(DISTINCT event_type) FROM events")
    surplus -= MAX_TYPES_PER_HOUR
    if surplus <= 0:
        return 0, ()
    connection.execute(
        _RANKED, {"names": list(known), "hours": [iso_hour(hour) for hour in known.values()]}
    )
    values = {"most": MAX_TYPES_PER_HOUR, "other": OTHER_TYPES}
    gone = connection.execute(_FOLDED_KNOWN, {"most": values["most"]}).fetchall()
    connection.execute(_FOLD, values)
    return surplus, tuple(name for (name,) in gone)


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    [(number,)] = connection.execute(query).fetchall()
    return int(number)


def _figures(numbers: list[Any], unique_users: int) -> Figures:
    count, errors, latency_count, percentiles, violations, version = numbers
    p50, p90, p95, p99 = (round(each, 3) for each in percentiles) if percentiles else [None] * 4
    return Figures(
        count, errors, unique_users, latency_count, p50, p90, p95, p99, violations, version
    )
