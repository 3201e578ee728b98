from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from common.domain.lake_schema import COLUMNS, PARTITIONS
from eventstream.lake import engine as sql_engine
from eventstream.lake import samples
from eventstream.lake.pruning import Pruning
from eventstream.lake.sql import run, translate
from eventstream.lake.statement import Describe, Query, SqlError, parse
from eventstream.output import UsageProblemError


class EmptyLake:
    def files(self, pruning: Pruning) -> Sequence[Path]:
        return []

    def partitions(self) -> Sequence[dict[str, int]]:
        return [{"year": 2026, "month": 2, "day": 20, "hour": 9}]


def rows(sql: str) -> list[Sequence[Any]]:
    with run(sql, EmptyLake()) as result:
        return list(result.rows)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with sql_engine.engine([]) as opened:
        yield opened


def answered(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    _, _, found = sql_engine.select(connection, translate(sql))
    [[value]] = found
    return value


# What may run


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "SELECT 1;",
        "-- a comment\nSELECT 1",
        "WITH a AS (SELECT 1 AS x) SELECT x FROM a",
        "(SELECT 1) UNION ALL (SELECT 2)",
        "SELECT count(*) FROM events",
        "SELECT count(*) FROM EVENTS_RAW",
        'SELECT count(*) FROM "eventstream"."events"',
        "SELECT count(*) FROM awsdatacatalog.eventstream.events",
        "TABLE events",
        "SELECT * FROM (VALUES (1, 'a')) AS t(x, y)",
        "SELECT x FROM UNNEST(ARRAY[1, 2]) AS t(x)",
        "WITH events AS (SELECT * FROM events_raw) SELECT count(*) FROM events",
        "WITH a AS (SELECT 1 AS x), b AS (SELECT x FROM a) SELECT (SELECT max(x) FROM b) FROM A",
    ],
)
def test_what_only_reads_the_lake_may_run(sql: str) -> None:
    assert isinstance(parse(sql), Query)


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT * FROM read_csv('/etc/passwd')", "functions that make tables"),
        ("SELECT * FROM read_parquet('s3://bucket/x')", "functions that make tables"),
        ("SELECT * FROM glob('/*')", "SYNTAX_ERROR"),
        ("SELECT * FROM query('COPY x TO y')", "functions that make tables"),
        ("SELECT * FROM duckdb_settings()", "functions that make tables"),
        ("SELECT * FROM TABLE(sequence(1, 3))", "functions that make tables"),
        ("SELECT (SELECT content FROM read_text('/etc/passwd'))", "functions that make tables"),
        ("SELECT * FROM '/etc/passwd'", "TABLE_NOT_FOUND"),
        ('SELECT * FROM "/etc/passwd"', "TABLE_NOT_FOUND"),
        ('SELECT * FROM events, "lake.parquet"', "TABLE_NOT_FOUND"),
        ("SELECT * FROM events WHERE 1 IN (SELECT 1 FROM other)", "TABLE_NOT_FOUND"),
        (
            'SELECT * FROM (WITH "a.csv" AS (SELECT 1) SELECT 1) AS t, "a.csv"',
            "TABLE_NOT_FOUND: there is no table a.csv",
        ),
        ("SELECT * FROM information_schema.tables", "SCHEMA_NOT_FOUND"),
        ("SELECT * FROM other.events", "SCHEMA_NOT_FOUND"),
        ("SELECT * FROM system.eventstream.events", "SCHEMA_NOT_FOUND"),
        ("SELECT * FROM events FOR TIMESTAMP AS OF current_timestamp", "no versions"),
        ("SELECT 1; SELECT 2", "one statement at a time: these are 2"),
        ("SELECT 1; DROP TABLE events", "one statement at a time"),
        ("COPY (SELECT 1) TO '/tmp/x'", "COPY is refused"),
        ("COPY events FROM '/etc/passwd'", "COPY is refused"),
        ("ATTACH 'x.db'", "SYNTAX_ERROR"),
        ("ATTACH DATABASE 'x.db' AS x", "SYNTAX_ERROR"),
        ("ATTACH x AS y", "SYNTAX_ERROR"),
        ("INSTALL httpfs", "this is no statement"),
        ("LOAD httpfs", "LOAD is refused"),
        ("PRAGMA database_list", "PRAGMA is refused"),
        ("SET enable_external_access = true", "SET is refused"),
        ("CREATE TABLE x AS SELECT 1", "CREATE is refused"),
        ("CREATE OR REPLACE VIEW events AS SELECT 1", "CREATE is refused"),
        ("INSERT INTO events SELECT * FROM events", "INSERT is refused"),
        ("UPDATE events SET line = 0", "UPDATE is refused"),
        ("DELETE FROM events", "DELETE is refused"),
        ("WITH x AS (DELETE FROM events) SELECT 1", "DELETE is refused"),
        ("SELECT * INTO x FROM events", "INTO is refused"),
        ("DROP VIEW events", "DROP is refused"),
        ("ALTER TABLE events_raw ADD COLUMNS (x int)", "ALTER is refused"),
        ("MSCK REPAIR TABLE events_raw", "MSCK REPAIR is refused"),
        ("UNLOAD (SELECT 1) TO 's3://x'", "UNLOAD is refused"),
        ("EXPLAIN SELECT 1", "EXPLAIN is refused"),
        ("EXECUTE x", "EXECUTE is refused"),
        ("CALL x()", "CALL is refused"),
        ("USE other", "USE is refused"),
        ("SHOW CREATE DATABASE x", "SHOW is refused"),
        ("SHOW COLUMNS FROM other", "TABLE_NOT_FOUND"),
        ("DESCRIBE other", "TABLE_NOT_FOUND"),
        ("SELECT * FROM events WHERE user_id = ?", "parameters"),
        ("", "there is no statement"),
        ("-- nothing", "there is no statement"),
        ("SELEC 1", "SYNTAX_ERROR: line 1"),
    ],
)
def test_anything_else_is_refused_and_says_why(sql: str, why: str) -> None:
    with pytest.raises(SqlError) as caught:
        parse(sql)

    assert why in str(caught.value)


def test_the_database_of_a_stack_may_be_named() -> None:
    sql = "SELECT count(*) FROM eventstream_dev.events"

    assert isinstance(parse(sql, schemas=frozenset({"eventstream_dev"})), Query)
    with pytest.raises(SqlError):
        parse(sql)


@pytest.mark.parametrize(
    ("sql", "described"),
    [
        ("SHOW TABLES", Describe("tables")),
        ("SHOW DATABASES", Describe("schemas")),
        ("show columns in eventstream.events", Describe("columns", "events")),
        ("DESCRIBE events", Describe("columns", "events")),
        ("SHOW PARTITIONS events_raw", Describe("partitions", "events_raw")),
        ("SHOW CREATE TABLE events_raw", Describe("create", "events_raw")),
        ("SHOW CREATE VIEW `events`", Describe("create", "events")),
    ],
)
def test_statements_that_describe_are_understood(sql: str, described: Describe) -> None:
    assert parse(sql) == described


def test_a_description_tells_every_column_and_partition() -> None:
    names = [row[0] for row in rows("DESCRIBE events")]

    assert names == [*(column.name for column in COLUMNS), *PARTITIONS]


def test_partitions_are_shown_as_their_paths() -> None:
    assert rows("SHOW PARTITIONS events_raw") == [("year=2026/month=02/day=20/hour=09",)]


# The second wall: DuckDB itself, in case the first lets something through


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / "secret.csv"
    path.write_text("secret\n42\n")
    return path


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{path}')",
        "SELECT * FROM read_text('{path}')",
        "SELECT * FROM '{path}'",
        "SELECT * FROM glob('/*')",
        "COPY (SELECT 1) TO '{path}'",
        "ATTACH '{path}' AS other",
        "EXPORT DATABASE '{path}.d'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET allowed_paths = ['{path}']",
        "RESET lock_configuration",
    ],
)
def test_the_engine_is_locked_to_the_lake(
    connection: duckdb.DuckDBPyConnection, outside: Path, sql: str
) -> None:
    with pytest.raises(duckdb.Error):
        connection.execute(sql.replace("{path}", str(outside)))

    assert outside.read_text() == "secret\n42\n"


def test_an_engine_that_is_not_locked_would_read_the_file(outside: Path) -> None:
    with duckdb.connect() as open_engine:
        found = open_engine.execute("SELECT * FROM read_csv(?)", [str(outside)]).fetchall()

    assert found == [(42,)]


# What Athena means


@pytest.mark.parametrize(
    ("expression", "meaning"),
    [
        pytest.param("7 / 2", 3, id="integers divide to integers"),
        pytest.param("7 / 2e0", 3.5, id="doubles divide to doubles"),
        pytest.param("try(1 / 0)", None, id="a division by zero that is tried"),
        pytest.param(
            "date_diff('hour', timestamp '2026-02-20 09:59:00', timestamp '2026-02-20 10:01:00')",
            0,
            id="units that have passed, not boundaries",
        ),
        pytest.param("date_diff('day', date '2026-02-20', date '2026-02-27')", 7, id="days"),
        pytest.param("to_iso8601(date '2026-02-20')", "2026-02-20", id="iso date"),
        pytest.param(
            "to_iso8601(timestamp '2026-02-20 09:00:00.120')", "2026-02-20T09:00:00.120", id="iso"
        ),
        pytest.param("to_iso8601(from_unixtime(0))", "1970-01-01T00:00:00.000Z", id="iso zone"),
        pytest.param(
            "date_parse('20/02/2026 09:05', '%d/%m/%Y %H:%i')",
            datetime(2026, 2, 20, 9, 5),  # noqa: DTZ001 - Athena's timestamps have no zone
            id="date_parse",
        ),
        pytest.param(
            "date_format(timestamp '2026-02-20 09:05:00', '%Y-%m-%d %H:%i')",
            "2026-02-20 09:05",
            id="date_format",
        ),
        pytest.param(
            "hour(timestamp '2026-02-20 09:00:00' AT TIME ZONE 'Europe/Berlin')", 10, id="zone"
        ),
        pytest.param(
            "to_iso8601(with_timezone(timestamp '2026-02-20 09:00:00', 'Europe/Berlin'))",
            "2026-02-20T08:00:00.000Z",
            id="with_timezone",
        ),
        pytest.param("""json_extract_scalar('{"a": "b"}', '$.a')""", "b", id="json text"),
        pytest.param(
            """CAST(json_extract('{"a": "b"}', '$.a') AS varchar)""", "b", id="json cast to text"
        ),
        pytest.param("""json_size('{"a": {"x": 1, "y": 2}}', '$.a')""", 2, id="json_size"),
        pytest.param("format('%03d|%s', 5, 'x')", "005|x", id="format"),
        pytest.param("concat('a', NULL)", None, id="concat with null"),
        pytest.param("greatest(1, NULL)", None, id="greatest with null"),
        pytest.param("width_bucket(5e0, 0, 10, 5)", 3, id="width_bucket"),
        pytest.param("url_extract_host('https://a.example:8/p?q=1')", "a.example", id="host"),
        pytest.param("url_extract_path('https://a.example/p/r?q=1')", "/p/r", id="path"),
        pytest.param("url_extract_parameter('/p?q=a%20b&c', 'q')", "a b", id="parameter"),
        pytest.param("url_extract_parameter('/p?q=1', 'z')", None, id="no such parameter"),
        pytest.param("is_nan(nan())", True, id="nan"),
    ],
)
def test_an_expression_means_what_it_means_in_athena(
    connection: duckdb.DuckDBPyConnection, expression: str, meaning: Any
) -> None:
    assert answered(connection, f"SELECT {expression}") == meaning


@pytest.mark.parametrize(
    ("aggregate", "meaning"),
    [
        ("map_agg(k, v)", {"a": 1, "b": 3}),
        ("multimap_agg(k, v)", {"a": [1, 2], "b": [3]}),
        ("every(v > 0)", True),
        ("count_if(v > 1)", 2),
        ("approx_distinct(k, 0.02)", 2),
    ],
)
def test_an_aggregate_means_what_it_means_in_athena(
    connection: duckdb.DuckDBPyConnection, aggregate: str, meaning: Any
) -> None:
    table = "(VALUES ('a', 1), ('a', 2), ('b', 3)) AS t(k, v)"

    assert answered(connection, " ".join(("SELECT", aggregate, "FROM", table))) == meaning


def test_columns_without_a_name_are_named_as_in_athena() -> None:
    sql = "SELECT 1, event_type, count(*) AS n, CAST(line AS varchar) FROM events GROUP BY 2, line"

    with run(sql, EmptyLake()) as result:
        assert result.columns == ["_col0", "event_type", "n", "_col3"]
        assert result.types == ["integer", "varchar", "bigint", "varchar"]


def test_an_empty_lake_has_its_columns_and_no_rows() -> None:
    with run("SELECT * FROM events", EmptyLake()) as result:
        assert result.columns == [*(column.name for column in COLUMNS), *PARTITIONS]
        assert list(result.rows) == []


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT evnt_type FROM events", "there is no column evnt_type: did you mean event_type"),
        ("SELECT zzz FROM events", "there is no column zzz: DESCRIBE events lists them"),
        ('SELECT 1 FROM events WHERE event_type = "purchase"', "single quotes, 'purchase'"),
        ('SELECT "evnt_type" FROM events', "'evnt_type'; did you mean event_type"),
        ("SELECT numeric_histogram(2, line) FROM events", "FUNCTION_NOT_FOUND: numeric_histogram"),
        ("SELECT json_value(properties, 'lax $.a') FROM events", "use json_extract_scalar"),
        ("SELECT json_query(properties, 'lax $.a') FROM events", "use json_extract,"),
        ("SELECT json_exists(properties, 'lax $.a') FROM events", "IS NOT NULL"),
        ("SELECT approx_percentile(line, 2, 0.5) FROM events", "weights"),
        ("SELECT 1 / 0", "Division by zero"),
    ],
)
def test_a_failure_says_what_is_wrong_in_one_line(sql: str, message: str) -> None:
    with pytest.raises(SqlError) as caught:
        rows(sql)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_only_queries_can_be_translated() -> None:
    assert "count_if" in translate("SELECT count_if(is_error) FROM events").lower()
    with pytest.raises(SqlError, match="only a query"):
        translate("SHOW TABLES")


# Which partitions are needed


def needed(where: str, **partition: int) -> bool:
    tree = exp.select("1").from_("events").where(where, dialect="athena")
    return Pruning(tree).needs(partition)


@pytest.mark.parametrize(
    ("where", "matters"),
    [
        ("year = 2026", True),
        ("year = 2025", False),
        ("year = 2026 AND day = 3", False),
        ("year = 2026 OR day = 3", True),
        ("day IN (19, 20)", True),
        ("day IN (1, 2)", False),
        ("day BETWEEN 18 AND 19", False),
        ("NOT (day = 20)", False),
        ("day <> 20", False),
        ("21 > day", True),
        ("year * 10000 + month * 100 + day >= 20260220", True),
        ("year * 10000 + month * 100 + day > 20260220", False),
        ("events.hour = 8", False),
        ("user_id = 'x'", True),
        ("user_id = 'x' AND day = 3", False),
        ("user_id = 'x' OR day = 3", True),
        ("day = 3 OR day IS NULL", True),
        ("coalesce(day, 20) = 3", True),
        ("day = (SELECT 3)", True),
        ("(year = 2026 AND month = 1) OR (year = 2026 AND month = 2 AND day < 20)", False),
    ],
)
def test_a_partition_is_left_out_only_when_no_row_of_it_can_fit(where: str, matters: bool) -> None:
    assert needed(where, year=2026, month=2, day=20, hour=9) is matters


def test_a_partial_partition_is_left_out_when_nothing_below_it_can_fit() -> None:
    assert not needed("year = 2026 AND day = 3", year=2025)
    assert needed("year = 2026 AND day = 3", year=2026)
    assert needed("day = 3", year=2026, month=2)


@pytest.mark.parametrize(
    ("sql", "matters"),
    [
        pytest.param(
            "WITH p AS (SELECT * FROM events WHERE day = 3) SELECT * FROM p", False, id="in a CTE"
        ),
        pytest.param(
            "SELECT 1 FROM events WHERE day = 3 UNION ALL SELECT 1 FROM events WHERE day = 20",
            True,
            id="another reference needs it",
        ),
        pytest.param(
            "SELECT 1 FROM events a JOIN events b ON a.user_id = b.user_id WHERE a.day = 3",
            True,
            id="the other side of a join needs it",
        ),
        pytest.param(
            "SELECT 1 FROM events a JOIN events b ON a.user_id = b.user_id "
            "WHERE a.day = 3 AND b.day = 4",
            False,
            id="both sides of a join leave it out",
        ),
        pytest.param(
            "SELECT 1 FROM events a JOIN (VALUES (1, 20)) AS t(x, day) ON true WHERE day = 3",
            True,
            id="a column that may be of another table",
        ),
        pytest.param(
            "SELECT 1 FROM events CROSS JOIN UNNEST(ARRAY[1]) AS t(x) WHERE day = 3",
            False,
            id="beside an unnested array",
        ),
        pytest.param("SELECT 1 FROM (SELECT * FROM events) WHERE day = 3", True, id="from outside"),
        pytest.param("SELECT 1", False, id="no table at all"),
    ],
)
def test_every_use_of_the_table_counts(sql: str, matters: bool) -> None:
    pruning = Pruning(sqlglot.parse_one(sql, read="athena"))

    assert pruning.needs({"year": 2026, "month": 2, "day": 20, "hour": 9}) is matters


def test_the_columns_of_conditions_are_known() -> None:
    tree = sqlglot.parse_one("SELECT 1 FROM events WHERE year = 2026 AND user_id = 'x'")

    assert Pruning(tree).columns == {"year"}
    assert Pruning(None).columns == set()
    assert Pruning(None).needs({"year": 1})


# Sample queries


SAMPLES = """-- about the file

-- name: Top events
-- What happens most.
SELECT 1;

-- name: Other
-- Something else.
WITH period AS (SELECT * FROM events WHERE day = 1)
SELECT count(*) FROM period;
"""


def test_samples_are_read_with_their_names_and_comments() -> None:
    top, other = samples.read(SAMPLES)

    assert top == samples.Sample("Top events", "What happens most.", "SELECT 1")
    assert other.sql.startswith("WITH period AS")
    assert other.sql.endswith("FROM period")


def test_a_sample_is_found_in_any_case_and_a_missing_one_lists_the_names() -> None:
    found = samples.find(samples.read(SAMPLES), "top EVENTS ")

    assert found.name == "Top events"
    with pytest.raises(UsageProblemError, match='"Top events", "Other"'):
        samples.find(samples.read(SAMPLES), "funnel")


def test_the_days_of_a_sample_are_replaced() -> None:
    _, other = samples.read(SAMPLES)

    sql = samples.over_days(other.sql, date(2026, 2, 27), date(2026, 3, 1))
    pruning = Pruning(sqlglot.parse_one(sql, read="athena"))
    days = [(2, 26), (2, 27), (2, 28), (3, 1), (3, 2)]

    assert [pruning.needs({"year": 2026, "month": m, "day": d}) for m, d in days] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_a_query_without_a_period_takes_no_days() -> None:
    with pytest.raises(SqlError, match="no CTE period"):
        samples.over_days("SELECT 1", date(2026, 2, 20), date(2026, 2, 20))
