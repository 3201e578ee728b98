"""An hour's Parquet files as one table in DuckDB, each event in it once.

The files are read some hundred at a time, and only the columns that figures are made of. What
was read lies in a table, which DuckDB spills to disk where it does not fit; a scan it does not.
"""

from __future__ import annotations

from itertools import islice

import duckdb

OBJECTS_PER_SCAN = 500
"""Files of one scan: DuckDB holds about 80 KB for each until the scan ends, outside its limit.
An hour of 24,000 small objects would take 2 GB in one."""

MAX_LATENCY_MS = 1e12
"""Longer latencies count as this (31 years), so that means and squares of them stay finite."""

_COLUMNS = {
    "source": "VARCHAR",
    "event_id": "VARCHAR",
    "event_type": "VARCHAR",
    "is_error": "BOOLEAN",
    "user_id": "VARCHAR",
    "anonymous_id": "VARCHAR",
    "latency_ms": "DOUBLE",
    "event_schema": "VARCHAR",
    "schema_violation": "VARCHAR",
    "received_at": "TIMESTAMPTZ",
    "stream": "VARCHAR",
    "shard": "VARCHAR",
    "sequence": "VARCHAR",
    "line": "INTEGER",
}

# A row that is never there gives every column its name and type, whatever the files have.
_NO_ROW = ", ".join(f"NULL::{kind} AS {name}" for name, kind in _COLUMNS.items())

_MAKE = f"CREATE TEMP TABLE lake AS SELECT {_NO_ROW} WHERE false"

_READ = f"""
    INSERT INTO lake SELECT {", ".join(_COLUMNS)} FROM (
        SELECT {_NO_ROW} WHERE false
        UNION ALL BY NAME
        FROM read_parquet($files, union_by_name = true, hive_partitioning = false)
    )
"""  # noqa: S608 - of constants only

_FIGURED = f"""
    event_type,
    coalesce(is_error, false) AS is_error,
    coalesce(user_id, anonymous_id) AS person,
    try_cast(split_part(event_schema, '/', 2) AS INTEGER) AS schema_version,
    schema_violation IS NOT NULL AS breaks_schema,
    CASE WHEN isfinite(latency_ms) THEN least(greatest(latency_ms, 0), {MAX_LATENCY_MS}) END
        AS latency_ms
"""

# Most events have one copy, so only those whose id may have more are sorted. A hash that two ids
# share only sorts them for nothing.
_REPEATED = """
    CREATE TEMP TABLE repeated AS
    SELECT id_hash FROM (SELECT hash(source, event_id) AS id_hash FROM lake)
    GROUP BY id_hash HAVING count(*) > 1
"""

_SINGLE = f"""
    CREATE TEMP TABLE events AS
    SELECT {_FIGURED} FROM (SELECT *, hash(source, event_id) AS id_hash FROM lake)
    ANTI JOIN repeated USING (id_hash)
"""  # noqa: S608 - of constants only

# The copy that was received first counts; ties fall by position in the stream, so that every
# run picks the same one. Sequence numbers are digits: the longer one is the greater.
_FIRST_COPIES = f"""
    INSERT INTO events
    SELECT {_FIGURED} FROM (SELECT *, hash(source, event_id) AS id_hash FROM lake)
    SEMI JOIN repeated USING (id_hash)
    QUALIFY row_number() OVER (
        PARTITION BY source, event_id
        ORDER BY received_at, stream, shard, length(sequence), sequence, line
    ) = 1
"""  # noqa: S608 - of constants only


def make_events(connection: duckdb.DuckDBPyConnection, files: list[str]) -> int:
    """Make the table ``events`` of some files, each event once; return how many rows they have."""
    connection.execute(_MAKE)
    rest = iter(files)
    while some := list(islice(rest, OBJECTS_PER_SCAN)):
        connection.execute(_READ, {"files": some})
    [(rows,)] = connection.execute("SELECT count(*) FROM lake").fetchall()
    for statement in (_REPEATED, _SINGLE, _FIRST_COPIES):
        connection.execute(statement)
    connection.execute("DROP TABLE lake")
    return int(rows)
