"""The exact figures of one hour, computed by DuckDB over the hour's Parquet files.

Memory is bounded by DuckDB's limit, with spill to disk: duplicates are found by grouping and
users are counted by grouping, which DuckDB does out of core, and not by ``count(distinct)``,
which it holds in memory.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from common.domain.keys import OTHER_TYPES
from common.errors import StoreError

MAX_TYPES_PER_HOUR = 500
"""Types with results of their own in one hour; the rest are added up as ``_other``.

A client that makes up types could else grow the hour's item past what DynamoDB takes (400 KB),
and the hour would never be finished.
"""

MAX_LATENCY_MS = 1e12
"""Longer latencies count as this (31 years), so that means and squares of them stay finite."""

THREADS = 2

_PERCENTILES = (0.5, 0.9, 0.95, 0.99)

_LAKE = "read_parquet($files, union_by_name = true, hive_partitioning = false)"

_COLUMNS = f"""
    event_type,
    coalesce(is_error, false) AS is_error,
    coalesce(user_id, anonymous_id) AS person,
    CASE WHEN isfinite(latency_ms) THEN least(greatest(latency_ms, 0), {MAX_LATENCY_MS}) END
        AS latency_ms
"""

# Most events have one copy, so only those whose id may have more are sorted. A hash that two ids
# share only sorts them for nothing.
_REPEATED = f"""
    CREATE TEMP TABLE repeated AS
    SELECT id_hash FROM (SELECT hash(source, event_id) AS id_hash FROM {_LAKE})
    GROUP BY id_hash HAVING count(*) > 1
"""  # noqa: S608 - of constants only

_SINGLE = f"""
    CREATE TEMP TABLE events AS
    SELECT {_COLUMNS} FROM (SELECT *, hash(source, event_id) AS id_hash FROM {_LAKE})
    ANTI JOIN repeated USING (id_hash)
"""  # noqa: S608 - of constants only

# The copy that was received first counts; ties fall by position in the stream, so that every
# run picks the same one. Sequence numbers are digits: the longer one is the greater.
_FIRST_COPIES = f"""
    INSERT INTO events
    SELECT {_COLUMNS} FROM (SELECT *, hash(source, event_id) AS id_hash FROM {_LAKE})
    SEMI JOIN repeated USING (id_hash)
    QUALIFY row_number() OVER (
        PARTITION BY source, event_id
        ORDER BY received_at, stream, shard, length(sequence), sequence, line
    ) = 1
"""  # noqa: S608 - of constants only

_FIGURES = f"""
    SELECT event_type, grouping(event_type) = 1, count(*), count(*) FILTER (is_error),
        count(latency_ms), quantile_cont(latency_ms, {list(_PERCENTILES)})
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


@dataclass(frozen=True, slots=True)
class HourFigures:
    """The figures of one hour."""

    total: Figures = field(default_factory=Figures)
    types: Mapping[str, Figures] = field(default_factory=dict)
    """By event type; only types with events."""
    rows: int = 0
    """Rows of the lake that were read; ``rows - total.count`` are further copies of an event."""
    objects: int = 0


def compute(
    files: Mapping[Path, str], scratch: Path, *, known: Collection[str], memory_mb: int
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
        Types that keep a result of their own before others do, once there are more than
        :data:`MAX_TYPES_PER_HOUR`: a series must not fall to zero because of made-up types.
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
    connection: duckdb.DuckDBPyConnection, files: list[str], known: Collection[str]
) -> HourFigures:
    for statement in (_REPEATED, _SINGLE, _FIRST_COPIES):
        connection.execute(statement, {"files": files})
    rows = _number(connection, f"SELECT count(*) FROM {_LAKE}", {"files": files})  # noqa: S608
    _cap_types(connection, known)
    users: dict[str, int] = dict(connection.execute(_USERS).fetchall())
    total, types = Figures(), {}
    for event_type, is_total, *numbers in connection.execute(_FIGURES).fetchall():
        if is_total:
            total = _figures(numbers, _number(connection, _ALL_USERS))
        else:
            types[event_type] = _figures(numbers, users.get(event_type, 0))
    return HourFigures(total, types, rows, len(files))


def _cap_types(connection: duckdb.DuckDBPyConnection, known: Collection[str]) -> None:
    """Call the types beyond the cap ``_other``: known types stay first, then the commonest."""
    counted = connection.execute(
        "SELECT event_type, count(*) FROM events GROUP BY event_type"
    ).fetchall()
    if len(counted) <= MAX_TYPES_PER_HOUR:
        return
    names = frozenset(known)
    ranked = sorted(counted, key=lambda each: (each[0] not in names, -each[1], each[0]))
    others = [[name] for name, _ in ranked[MAX_TYPES_PER_HOUR:]]
    connection.execute("CREATE TEMP TABLE other_types (event_type VARCHAR)")
    connection.executemany("INSERT INTO other_types VALUES (?)", others)
    connection.execute(
        "UPDATE events SET event_type = $other WHERE event_type IN (FROM other_types)",
        {"other": OTHER_TYPES},
    )


def _number(
    connection: duckdb.DuckDBPyConnection, query: str, values: dict[str, Any] | None = None
) -> int:
    [(number,)] = connection.execute(query, values).fetchall()
    return int(number)


def _figures(numbers: list[Any], unique_users: int) -> Figures:
    count, errors, latency_count, percentiles = numbers
    p50, p90, p95, p99 = (round(each, 3) for each in percentiles) if percentiles else [None] * 4
    return Figures(count, errors, unique_users, latency_count, p50, p90, p95, p99)
