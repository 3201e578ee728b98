-- Questions that most teams ask first. Each begins with the days to read: edit that one line. The
-- conditions on year, month, day and hour decide which objects are read, and so what a query costs.
-- `eventstream sql --name "Top events"` runs them on the last days of the pipeline on this machine.

-- name: Top events
-- Event types by how often they occur, with their users and their share.
WITH period AS (
  SELECT *
  FROM events
  WHERE year = 2026 AND month = 11 AND day BETWEEN 14 AND 20
)
SELECT
  event_type,
  count(*) AS events,
  count(DISTINCT coalesce(user_id, anonymous_id)) AS users,
  round(100e0 * count(*) / sum(count(*)) OVER (), 2) AS percent
FROM period
GROUP BY event_type
ORDER BY events DESC, event_type
LIMIT 20;

-- name: Hourly trend
-- Events, errors and users of each hour, and the change from the hour before.
WITH period AS (
  SELECT *
  FROM events
  WHERE year = 2026 AND month = 11 AND day BETWEEN 14 AND 20
),
hourly AS (
  SELECT
    date_trunc('hour', "timestamp") AS hour_start,
    count(*) AS events,
    count_if(is_error) AS errors,
    count(DISTINCT coalesce(user_id, anonymous_id)) AS users
  FROM period
  GROUP BY date_trunc('hour', "timestamp")
)
SELECT
  hour_start,
  events,
  errors,
  users,
  events - lag(events) OVER (ORDER BY hour_start) AS change
FROM hourly
ORDER BY hour_start;

-- name: Purchase funnel
-- Sessions that view a page, then add to the cart, then purchase, each step within an hour.
WITH period AS (
  SELECT *
  FROM events
  WHERE year = 2026 AND month = 11 AND day BETWEEN 14 AND 20
),
steps AS (
  SELECT
    -- A computed session is the user's: its id in a row is the one that was known first.
    coalesce(
      CASE WHEN session_source = 'computed' THEN NULL ELSE session_id END, user_id, anonymous_id
    ) AS visit,
    event_type,
    "timestamp" AS happened_at
  FROM period
  WHERE event_type IN ('page_view', 'add_to_cart', 'purchase')
),
viewed AS (
  SELECT visit, min(happened_at) AS viewed_at
  FROM steps
  WHERE event_type = 'page_view' AND visit IS NOT NULL
  GROUP BY visit
),
added AS (
  SELECT viewed.visit, min(steps.happened_at) AS added_at
  FROM viewed
  JOIN steps ON steps.visit = viewed.visit
  WHERE steps.event_type = 'add_to_cart'
    AND steps.happened_at >= viewed.viewed_at
    AND steps.happened_at < viewed.viewed_at + INTERVAL '1' HOUR
  GROUP BY viewed.visit
),
purchased AS (
  SELECT added.visit
  FROM added
  JOIN steps ON steps.visit = added.visit
  WHERE steps.event_type = 'purchase'
    AND steps.happened_at >= added.added_at
    AND steps.happened_at < added.added_at + INTERVAL '1' HOUR
  GROUP BY added.visit
),
funnel AS (
  SELECT 1 AS step, 'page_view' AS event_type, count(*) AS sessions FROM viewed
  UNION ALL
  SELECT 2, 'add_to_cart', count(*) FROM added
  UNION ALL
  SELECT 3, 'purchase', count(*) FROM purchased
)
SELECT
  step,
  event_type,
  sessions,
  round(100e0 * sessions / nullif(first_value(sessions) OVER (ORDER BY step), 0), 2)
    AS percent_of_first,
  round(100e0 * sessions / nullif(lag(sessions) OVER (ORDER BY step), 0), 2)
    AS percent_of_previous
FROM funnel
ORDER BY step;

-- name: Sessions by day
-- Sessions by the day on which they begin: how many, how long, and how many of a single event.
WITH period AS (
  SELECT *
  FROM events
  WHERE year = 2026 AND month = 11 AND day BETWEEN 14 AND 20
),
seen AS (
  SELECT
    user_id,
    CASE WHEN user_id IS NULL THEN anonymous_id END AS anonymous_id,
    CASE WHEN session_source = 'computed' THEN NULL ELSE session_id END AS client_id,
    "timestamp" AS happened_at
  FROM period
  WHERE coalesce(user_id, anonymous_id) IS NOT NULL
),
begun AS (
  SELECT
    *,
    CASE
      WHEN client_id IS NULL
        AND date_diff(
          'millisecond',
          lag(happened_at) OVER (
            PARTITION BY user_id, anonymous_id, client_id ORDER BY happened_at
          ),
          happened_at
        ) > 30 * 60000
      THEN 1 ELSE 0
    END AS begins
  FROM seen
),
numbered AS (
  SELECT
    *,
    sum(begins) OVER (
      PARTITION BY user_id, anonymous_id, client_id
      ORDER BY happened_at
      ROWS UNBOUNDED PRECEDING
    ) AS visit
  FROM begun
),
visits AS (
  SELECT
    min(happened_at) AS started_at,
    date_diff('millisecond', min(happened_at), max(happened_at)) AS duration_ms,
    count(*) AS events
  FROM numbered
  GROUP BY user_id, anonymous_id, client_id, visit
)
SELECT
  CAST(started_at AS date) AS begun_on,
  count(*) AS sessions,
  sum(events) AS events,
  sum(duration_ms) / count(*) / 1000 AS mean_seconds,
  round(100e0 * count_if(events = 1) / count(*), 2) AS single_event_percent
FROM visits
GROUP BY CAST(started_at AS date)
ORDER BY begun_on;

-- name: Error rate
-- Share of events that tell of an error, by type; the worst first.
WITH period AS (
  SELECT *
  FROM events
  WHERE year = 2026 AND month = 11 AND day BETWEEN 14 AND 20
)
SELECT
  event_type,
  count(*) AS events,
  count_if(is_error) AS errors,
  round(100e0 * count_if(is_error) / count(*), 2) AS error_percent
FROM period
GROUP BY event_type
ORDER BY error_percent DESC, events DESC, event_type;

-- name: Daily retention
-- Users by the first day they are seen on, and how many of them come back on each day after it.
WITH period AS (
  SELECT *
  FROM events
  WHERE year = 2026 AND month = 11 AND day BETWEEN 14 AND 20
),
active AS (
  SELECT DISTINCT
    coalesce(user_id, anonymous_id) AS visitor,
    CAST("timestamp" AS date) AS active_on
  FROM period
  WHERE coalesce(user_id, anonymous_id) IS NOT NULL
),
cohorts AS (
  SELECT visitor, min(active_on) AS cohort
  FROM active
  GROUP BY visitor
)
SELECT
  cohorts.cohort,
  count_if(date_diff('day', cohort, active_on) = 0) AS users,
  count_if(date_diff('day', cohort, active_on) = 1) AS day_1,
  count_if(date_diff('day', cohort, active_on) = 2) AS day_2,
  count_if(date_diff('day', cohort, active_on) = 3) AS day_3,
  count_if(date_diff('day', cohort, active_on) = 4) AS day_4,
  count_if(date_diff('day', cohort, active_on) = 5) AS day_5,
  count_if(date_diff('day', cohort, active_on) = 6) AS day_6
FROM cohorts
JOIN active ON active.visitor = cohorts.visitor
GROUP BY cohorts.cohort
ORDER BY cohorts.cohort;

-- name: Weekly retention
-- The same by weeks, which begin on Monday; for months of data.
WITH period AS (
  SELECT *
  FROM events
  WHERE year = 2026 AND month IN (10, 11)
),
active AS (
  SELECT DISTINCT
    coalesce(user_id, anonymous_id) AS visitor,
    date_trunc('week', CAST("timestamp" AS date)) AS active_in
  FROM period
  WHERE coalesce(user_id, anonymous_id) IS NOT NULL
),
cohorts AS (
  SELECT visitor, min(active_in) AS cohort
  FROM active
  GROUP BY visitor
)
SELECT
  CAST(cohorts.cohort AS date) AS cohort_week,
  count_if(date_diff('day', cohort, active_in) = 0) AS users,
  count_if(date_diff('day', cohort, active_in) = 7) AS week_1,
  count_if(date_diff('day', cohort, active_in) = 14) AS week_2,
  count_if(date_diff('day', cohort, active_in) = 21) AS week_3,
  count_if(date_diff('day', cohort, active_in) = 28) AS week_4
FROM cohorts
JOIN active ON active.visitor = cohorts.visitor
GROUP BY cohorts.cohort
ORDER BY cohorts.cohort;

-- name: Slowest pages
-- Pages by their 95th percentile of latency; pages with fewer than ten measurements are left out.
WITH period AS (
  SELECT *
  FROM events
  WHERE year = 2026 AND month = 11 AND day BETWEEN 14 AND 20
)
SELECT
  page_path,
  count(*) AS measured,
  round(approx_percentile(latency_ms, 0.5), 1) AS p50_ms,
  round(approx_percentile(latency_ms, 0.95), 1) AS p95_ms,
  round(max(latency_ms), 1) AS slowest_ms
FROM period
WHERE page_path IS NOT NULL AND latency_ms IS NOT NULL
GROUP BY page_path
HAVING count(*) >= 10
ORDER BY p95_ms DESC, page_path
LIMIT 20;

-- name: Campaigns
-- Visitors by where they come from, and how many of them purchase.
WITH period AS (
  SELECT *
  FROM events
  WHERE year = 2026 AND month = 11 AND day BETWEEN 14 AND 20
),
visitors AS (
  SELECT
    coalesce(user_id, anonymous_id) AS visitor,
    max_by(utm_campaign, "timestamp") FILTER (WHERE utm_campaign IS NOT NULL) AS campaign,
    count_if(event_type = 'purchase') AS purchases
  FROM period
  WHERE coalesce(user_id, anonymous_id) IS NOT NULL
  GROUP BY coalesce(user_id, anonymous_id)
)
SELECT
  coalesce(campaign, '(none)') AS campaign,
  count(*) AS visitors,
  count_if(purchases > 0) AS buyers,
  round(100e0 * count_if(purchases > 0) / count(*), 2) AS buyer_percent
FROM visitors
GROUP BY campaign
ORDER BY visitors DESC, campaign;
