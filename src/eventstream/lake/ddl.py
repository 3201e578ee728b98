"""The text of ``athena/create_tables.sql``, made from the lake's columns.

``python -m eventstream.lake.ddl > athena/create_tables.sql`` writes it anew; a test holds the
file to it.
"""

from __future__ import annotations

import sys

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
    "session_id": "Session as the client names it",
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
    "ua_family": "Browser or library (reserved: null for now)",
    "ua_os": "Operating system (reserved: null for now)",
    "ua_device": "Kind of device (reserved: null for now)",
    "is_bot": "Whether a known bot (reserved: null for now)",
    "ip": "Client address, cut (reserved: null for now)",
    "original_timestamp": "Instant that the client sent, before correction",
    "timestamp_source": "client, skew_corrected, clamped_future or received",
    "sent_at": "When the client sent it, by its own clock",
    "received_at": "When the API took it, UTC",
    "ingested_at": "When it went into the stream, UTC",
    "schema_version": "Version of the shape of the event",
    "replayed": "Whether it was sent again from the failures or the quarantine",
    "stream": "Kinesis stream that carried it",
    "shard": "Shard of the stream",
    "sequence": "Sequence number of its record",
    "line": "Position in its record, from 0",
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

_HEAD = """\
-- The lake in Athena: one table over the stored objects, and a view that holds each event once.
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


def _listed(*names: str) -> str:
    return ", ".join(f'"{name}"' for name in names)


def render() -> str:
    """Return the whole file."""
    head = _HEAD.format(database=DATABASE, bucket=BUCKET)
    return f"{head}\n{table()}\n{view()}"


if __name__ == "__main__":
    sys.stdout.write(render())
