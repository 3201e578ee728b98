-- The lake in Athena: one table over the stored objects, a view that holds each event once, and one
-- of the sessions of this month and the one before.
-- The stack declares the same table; this text is for another database or account. Replace
-- ${database} and ${lake_bucket} first; the other placeholders are Athena's own.
--
-- Made from the columns in src/common/domain/lake_schema.py: python -m eventstream.lake.ddl

CREATE EXTERNAL TABLE IF NOT EXISTS `${database}`.`events_raw` (
  `event_id` string COMMENT 'Idempotency key, unique per source',
  `event_type` string COMMENT 'What happened',
  `timestamp` timestamp COMMENT 'When it happened, UTC',
  `user_id` string COMMENT 'Who, when known',
  `anonymous_id` string COMMENT 'Who, before they are known',
  `session_id` string COMMENT 'Session of the client, else the computed one as first known',
  `source` string COMMENT 'Who sent it, public while clients need no key',
  `latency_ms` double COMMENT 'Duration that the client measured',
  `is_error` boolean COMMENT 'Whether the event tells of an error',
  `properties` string COMMENT 'JSON object of the client, read by json_extract_scalar',
  `context` string COMMENT 'JSON object of the client library',
  `page_url` string COMMENT 'Page, whole address',
  `page_path` string COMMENT 'Page, path only',
  `page_title` string COMMENT 'Page, title',
  `referrer` string COMMENT 'Page before',
  `utm_source` string COMMENT 'Campaign parameters of the page',
  `utm_medium` string COMMENT 'Campaign parameters of the page',
  `utm_campaign` string COMMENT 'Campaign parameters of the page',
  `utm_term` string COMMENT 'Campaign parameters of the page',
  `utm_content` string COMMENT 'Campaign parameters of the page',
  `ua_family` string COMMENT 'Browser or library',
  `ua_os` string COMMENT 'Operating system',
  `ua_device` string COMMENT 'Device, Spider for a robot',
  `is_bot` boolean COMMENT 'Whether the user agent is a known robot',
  `ip` string COMMENT 'Address of the client, its network only unless allowed',
  `original_timestamp` timestamp COMMENT 'Instant that the client sent, before correction',
  `timestamp_source` string COMMENT 'client, skew_corrected, clamped_future or received',
  `sent_at` timestamp COMMENT 'When the client sent it, by its own clock',
  `received_at` timestamp COMMENT 'When the API took it, UTC',
  `ingested_at` timestamp COMMENT 'When it went into the stream, UTC',
  `schema_version` int COMMENT 'Version of the shape of the event',
  `replayed` boolean COMMENT 'Whether it was sent again from the failures or the quarantine',
  `event_schema` string COMMENT 'Registered schema it was held against, type and version',
  `schema_violation` string COMMENT 'What of the schema it breaks, path and keyword',
  `stream` string COMMENT 'Kinesis stream that carried it',
  `shard` string COMMENT 'Shard of the stream',
  `sequence` string COMMENT 'Sequence number of its record',
  `line` int COMMENT 'Position in its record, from 0',
  `session_source` string COMMENT 'Whose the id of the session is, client or computed'
)
COMMENT 'Stored events, with an event that was delivered again twice'
PARTITIONED BY (`year` int, `month` int, `day` int, `hour` int)
STORED AS PARQUET
LOCATION 's3://${lake_bucket}/events/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.year.type' = 'integer',
  'projection.year.range' = '2000,2050',
  'projection.month.type' = 'integer',
  'projection.month.range' = '1,12',
  'projection.month.digits' = '2',
  'projection.day.type' = 'integer',
  'projection.day.range' = '1,31',
  'projection.day.digits' = '2',
  'projection.hour.type' = 'integer',
  'projection.hour.range' = '0,23',
  'projection.hour.digits' = '2',
  'storage.location.template' = 's3://${lake_bucket}/events/year=${year}/month=${month}/day=${day}/hour=${hour}/'
);

CREATE OR REPLACE VIEW "${database}".events AS
SELECT
  "event_id",
  "event_type",
  "timestamp",
  "user_id",
  "anonymous_id",
  "session_id",
  "source",
  "latency_ms",
  "is_error",
  "properties",
  "context",
  "page_url",
  "page_path",
  "page_title",
  "referrer",
  "utm_source",
  "utm_medium",
  "utm_campaign",
  "utm_term",
  "utm_content",
  "ua_family",
  "ua_os",
  "ua_device",
  "is_bot",
  "ip",
  "original_timestamp",
  "timestamp_source",
  "sent_at",
  "received_at",
  "ingested_at",
  "schema_version",
  "replayed",
  "event_schema",
  "schema_violation",
  "stream",
  "shard",
  "sequence",
  "line",
  "session_source",
  "year",
  "month",
  "day",
  "hour"
FROM (
  SELECT *, row_number() OVER (
    PARTITION BY "year", "month", "day", "hour", "source", "event_id"
    ORDER BY "received_at", "stream", "shard", "sequence", "line"
  ) AS copy
  FROM "${database}".events_raw
)
WHERE copy = 1;

CREATE OR REPLACE VIEW "${database}".sessions AS
WITH seen AS (
  SELECT
    user_id,
    CASE WHEN user_id IS NULL THEN anonymous_id END AS anonymous_id,
    CASE WHEN session_source = 'computed' THEN NULL ELSE session_id END AS client_id,
    "timestamp" AS happened_at
  FROM "${database}".events
  WHERE ((year = year(date_add('month', -1, current_date)) AND month = month(date_add('month', -1, current_date))) OR (year = year(current_date) AND month = month(current_date))) AND coalesce(user_id, anonymous_id) IS NOT NULL
),
begun AS (
  SELECT
    *,
    CASE
      WHEN client_id IS NULL
        AND date_diff('millisecond', lag(happened_at) OVER (PARTITION BY user_id, anonymous_id, client_id ORDER BY happened_at), happened_at)
          > 30 * 60000
      THEN 1 ELSE 0
    END AS begins
  FROM seen
),
numbered AS (
  SELECT *, sum(begins) OVER (PARTITION BY user_id, anonymous_id, client_id ORDER BY happened_at ROWS UNBOUNDED PRECEDING) AS visit
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
