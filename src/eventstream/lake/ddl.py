"""The text of ``athena/create_tables.sql``, made from the lake's columns.

``python -m eventstream.lake.ddl > athena/create_tables.sql`` writes it anew; a test holds the
file to it.
"""

from __future__ import annotations

import sys
from datetime import date, timedelta

from common.domain.keys import LAKE_PREFIX
from common.domain.lake_schema import COLUMNS, PARTITIONS

BUCKET = "${lake_bucket}"
"""Stands for the lake's bucket; the stack's output ``LakeBucketName`` is its name."""
DATABASE = "${database}"
"""Stands for the database; the stack's output ``GlueDatabaseName`` is its name."""

COMMENTS = {
    "event_id": "Idempotency key, unique per source",
    "event_type": "What happened",
    "timestamp": "When it happened, UTC",
    "user_id": "Who, when known",
    "anonymous_id": "Who, before they are known",
    "session_id": "Session of the client, else the computed one as first known",
    "source": "Who sent it, public while clients need no key",
    "latency_ms": "Duration that the client measured",
    "is_error": "Whether the event tells of an error",
    "properties": "JSON object of the client, read by json_extract_scalar",
    "context": "JSON object of the client library",
    "page_url": "Page, whole address",
    "page_path": "Page, path only",
    "page_title": "Page, title",
    "referrer": "Page before",
    "utm_source": "Campaign parameters of the page",
    "utm_medium": "Campaign parameters of the page",
    "utm_campaign": "Campaign parameters of the page",
    "utm_term": "Campaign parameters of the page",
    "utm_content": "Campaign parameters of the page",
    "ua_family": "Browser or library",
    "ua_os": "Operating system",
    "ua_device": "Device, Spider for a robot",
    "is_bot": "Whether the user agent is a known robot",
    "ip": "Address of the client, its network only unless allowed",
    "original_timestamp": "Instant that the client sent, before correction",
    "timestamp_source": "client, skew_corrected, clamped_future or received",
    "sent_at": "When the client sent it, by its own clock",
    "received_at": "When the API took it, UTC",
    "ingested_at": "When it went into the stream, UTC",
    "schema_version": "Version of the shape of the event",
    "replayed": "Whether it was sent again from the failures or the quarantine",
    "event_schema": "Registered schema it was held against, type and version",
    "schema_violation": "What of the schema it breaks, path and keyword",
    "stream": "Kinesis stream that carried it",
    "shard": "Shard of the stream",
    "sequence": "Sequence number of its record",
    "line": "Position in its record, from 0",
    "session_source": "Whose the id of the session is, client or computed",
}

PROPERTIES = {
    "classification": "parquet",
    "projection.enabled": "true",
    "projection.year.type": "integer",
    "projection.year.range": "2000,2050",
    "projection.month.type": "integer",
    "projection.month.range": "1,12",
    "projection.month.digits": "2",
    "projection.day.type": "integer",
    "projection.day.range": "1,31",
    "projection.day.digits": "2",
    "projection.hour.type": "integer",
    "projection.hour.range": "0,23",
    "projection.hour.digits": "2",
    "storage.location.template": f"s3://{BUCKET}/{LAKE_PREFIX}"
    + "".join(f"{name}=${{{name}}}/" for name in PARTITIONS),
}
"""Partitions are computed from their path: nothing to crawl, add or repair."""

COPIES_ORDER = ("received_at", "stream", "shard", "sequence", "line")
"""Of several copies of an event the first in this order counts."""

SESSION_COLUMNS = {
    "session_id": ("string", "Id of the client, else made of person and start"),
    "session_source": ("string", "Whose the id is, client or computed"),
    "user_id": ("string", "Who, when known"),
    "anonymous_id": ("string", "Who, where no user is known"),
    "started_at": ("timestamp", "First event, UTC"),
    "ended_at": ("timestamp", "Last event, UTC"),
    "events": ("bigint", "Events, each once"),
}
"""Columns of the view of sessions: their Athena types and comments."""

GAP_MINUTES = 30
"""Default of the parameter ``SessionGapMinutes``."""

_NOW = "current_date"
_MONTH_AGO = "date_add('month', -1, current_date)"
TWO_MONTHS = " OR ".join(
    f"(year = year({day}) AND month = month({day}))" for day in (_MONTH_AGO, _NOW)
)
"""This month and the one before, as a condition on the partitions. A view cannot be told which
days to read: without one, every question would have S3 asked for each hour of fifty years."""

_HEAD = """\
-- The lake in Athena: one table over the stored objects, a view that holds each event once, and one
-- of the sessions of this month and the one before.
-- The stack declares the same table; this text is for another database or account. Replace
-- {database} and {bucket} first; the other placeholders are Athena's own.
--
-- Made from the columns in src/common/domain/lake_schema.py: python -m eventstream.lake.ddl
"""


def table(database: str = DATABASE, bucket: str = BUCKET) -> str:
    """Return the statement that declares the table of stored objects."""
    columns = ",\n".join(
        f"  `{column.name}` {column.athena} COMMENT '{COMMENTS[column.name]}'" for column in COLUMNS
    )
    partitions = ", ".join(f"`{name}` int" for name in PARTITIONS)
    properties = ",\n".join(
        f"  '{name}' = '{value.replace(BUCKET, bucket)}'" for name, value in PROPERTIES.items()
    )
    return (
        f"CREATE EXTERNAL TABLE IF NOT EXISTS `{database}`.`events_raw` (\n{columns}\n)\n"
        "COMMENT 'Stored events, with an event that was delivered again twice'\n"
        f"PARTITIONED BY ({partitions})\n"
        "STORED AS PARQUET\n"
        f"LOCATION 's3://{bucket}/{LAKE_PREFIX}'\n"
        f"TBLPROPERTIES (\n{properties}\n);\n"
    )


def view(database: str = DATABASE) -> str:
    """Return the statement that makes the view of distinct events.

    The copies of an event lie in one hour, so they are looked for within a partition, and a
    condition on the partitions of the view still leaves the others unread.
    """
    prefix = f'"{database}".' if database else ""
    names = (*(column.name for column in COLUMNS), *PARTITIONS)
    lines = (
        f"CREATE OR REPLACE VIEW {prefix}events AS",
        "SELECT",
        ",\n".join(f'  "{name}"' for name in names),
        "FROM (",
        "  SELECT *, row_number() OVER (",
        f"    PARTITION BY {_listed(*PARTITIONS, 'source', 'event_id')}",
        f"    ORDER BY {_listed(*COPIES_ORDER)}",
        "  ) AS copy",
        f"  FROM {prefix}events_raw",
        ")",
        "WHERE copy = 1;",
    )
    return "\n".join(lines) + "\n"


def sessions_view(database: str = DATABASE, period: str = TWO_MONTHS) -> str:
    """Return the statement that makes the view of sessions.

    A client's session is all events of a person under its id. The other events of a person are in
    one session as long as each comes within the gap after the one before it. Tables of events and
    of sessions agree: rows whose id was computed count as rows without one.
    """
    prefix = f'"{database}".' if database else ""
    same = "PARTITION BY user_id, anonymous_id, client_id ORDER BY happened_at"
    return f"""\
CREATE OR REPLACE VIEW {prefix}sessions AS
WITH seen AS (
  SELECT
    user_id,
    CASE WHEN user_id IS NULL THEN anonymous_id END AS anonymous_id,
    CASE WHEN session_source = 'computed' THEN NULL ELSE session_id END AS client_id,
    "timestamp" AS happened_at
  FROM {prefix}events
  WHERE ({period}) AND coalesce(user_id, anonymous_id) IS NOT NULL
),
begun AS (
  SELECT
    *,
    CASE
      WHEN client_id IS NULL
        AND date_diff('millisecond', lag(happened_at) OVER ({same}), happened_at)
          > {GAP_MINUTES} * 60000
      THEN 1 ELSE 0
    END AS begins
  FROM seen
),
numbered AS (
  SELECT *, sum(begins) OVER ({same} ROWS UNBOUNDED PRECEDING) AS visit
  FROM begun
)
SELECT
  coalesce(
    client_id,
    substr(lower(to_hex(sha256(to_utf8(
      CASE WHEN user_id IS NULL THEN 'anonymous:' ELSE 'user:' END
      || coalesce(user_id, anonymous_id)
    )))), 1, 32)
    || '-'
    || CAST(date_diff('millisecond', TIMESTAMP '1970-01-01 00:00:00', min(happened_at)) AS varchar)
  ) AS session_id,
  CASE WHEN client_id IS NULL THEN 'computed' ELSE 'client' END AS session_source,
  user_id,
  anonymous_id,
  min(happened_at) AS started_at,
  max(happened_at) AS ended_at,
  count(*) AS events
FROM numbered
GROUP BY user_id, anonymous_id, client_id, visit;
"""  # noqa: S608 - of names and constants


def months_to(day: date) -> str:
    """Spell the month of a day and the one before as a condition on the partitions.

    >>> months_to(date(2026, 1, 31))
    '(year = 2025 AND month = 12) OR (year = 2026 AND month = 1)'
    """
    before = day.replace(day=1) - timedelta(days=1)
    return " OR ".join(f"(year = {each.year} AND month = {each.month})" for each in (before, day))


def _listed(*names: str) -> str:
    return ", ".join(f'"{name}"' for name in names)


def render() -> str:
    """Return the whole file."""
    head = _HEAD.format(database=DATABASE, bucket=BUCKET)
    return f"{head}\n{table()}\n{view()}\n{sessions_view()}"


if __name__ == "__main__":
    sys.stdout.write(render())
