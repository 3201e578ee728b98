"""Athena's SQL as DuckDB's: what sqlglot does not translate, or translates to another meaning."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp
from sqlglot.errors import ErrorLevel, UnsupportedError

from eventstream.lake.statement import SqlError

MACROS = (
    """CREATE MACRO to_iso8601(x) AS CASE typeof(x)
         WHEN 'DATE' THEN strftime(CAST(x AS DATE), '%Y-%m-%d')
         WHEN 'TIMESTAMP WITH TIME ZONE' THEN
           strftime(timezone('UTC', CAST(x AS TIMESTAMPTZ)), '%Y-%m-%dT%H:%M:%S.%gZ')
         ELSE strftime(CAST(x AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%g') END""",
    # The wall clock of a zone; DuckDB's own reads a plain timestamp as one of that zone already.
    "CREATE MACRO at_timezone(x, zone) AS timezone(zone, CAST(x AS TIMESTAMPTZ))",
    "CREATE MACRO with_timezone(x, zone) AS timezone(zone, CAST(x AS TIMESTAMP))",
    # Of several values under one key Athena keeps one; MAP would refuse the second.
    """CREATE MACRO es_first_of_key(entries) AS map(
         list_distinct(list_transform(entries, lambda e: e.k)),
         list_transform(list_distinct(list_transform(entries, lambda e: e.k)),
           lambda key: list_filter(entries, lambda e: e.k = key)[1].v))""",
    """CREATE MACRO es_all_of_key(entries) AS map(
         list_distinct(list_transform(entries, lambda e: e.k)),
         list_transform(list_distinct(list_transform(entries, lambda e: e.k)),
           lambda key: list_transform(
             list_filter(entries, lambda e: e.k = key), lambda e: e.v)))""",
    """CREATE MACRO map_agg(key, value) AS
         es_first_of_key(list({'k': key, 'v': value}) FILTER (WHERE key IS NOT NULL))""",
    """CREATE MACRO multimap_agg(key, value) AS
         es_all_of_key(list({'k': key, 'v': value}) FILTER (WHERE key IS NOT NULL))""",
    "CREATE MACRO nan() AS CAST('nan' AS DOUBLE)",
    "CREATE MACRO infinity() AS CAST('inf' AS DOUBLE)",
    """CREATE MACRO width_bucket(x, low, high, buckets) AS CASE
         WHEN x < low THEN 0 WHEN x >= high THEN buckets + 1
         ELSE CAST(floor((x - low) * CAST(buckets AS DOUBLE) / (high - low)) AS BIGINT) + 1 END""",
    """CREATE MACRO json_size(document, path) AS CASE json_type(document, path)
         WHEN 'OBJECT' THEN len(json_keys(document, path))
         WHEN 'ARRAY' THEN json_array_length(document, path)
         ELSE 0 END""",
    r"CREATE MACRO url_extract_protocol(url) AS nullif(regexp_extract(url, '^([^:/?#]+):', 1), '')",
    r"CREATE MACRO url_extract_host(url) AS "
    r"nullif(regexp_extract(url, '^[^:/?#]+://(?:[^@/?#]*@)?([^:/?#]*)', 1), '')",
    r"CREATE MACRO url_extract_path(url) AS "
    r"regexp_extract(url, '^(?:[^:/?#]+:)?(?://[^/?#]*)?([^?#]*)', 1)",
    r"CREATE MACRO url_extract_query(url) AS nullif(regexp_extract(url, '\?([^#]*)', 1), '')",
    r"CREATE MACRO url_extract_parameter(url, name) AS nullif(url_decode("
    r"regexp_extract(url, '[?&]' || regexp_escape(name) || '=([^&#]*)', 1)), '')",
)
"""Functions of Athena that DuckDB lacks."""


def to_duckdb(tree: exp.Query) -> str:
    """Return a checked query in DuckDB's dialect; ``tree`` is left as it is.

    Raises
    ------
    SqlError
        The query uses what only Athena can do.
    """
    query = tree.copy()
    _name_columns(query)
    for table in query.find_all(exp.Table):
        # The database is called otherwise in each stack; here the two tables are in none.
        table.set("db", None)
        table.set("catalog", None)
    translated: exp.Expr = query.transform(_translated)
    try:
        return translated.sql(
            "duckdb", identify=True, comments=False, unsupported_level=ErrorLevel.RAISE
        )
    except UnsupportedError as error:
        raise SqlError(f"only Athena itself can run this: {error}") from None


def _name_columns(query: exp.Query) -> None:
    """Name what has no name as Athena does: ``_col0``, ``_col1`` …, by position."""
    first: exp.Expr = query
    while isinstance(first, exp.SetOperation | exp.Subquery):
        first = first.this
    if not isinstance(first, exp.Select):
        return
    for position, column in enumerate(first.expressions):
        if not isinstance(column, exp.Alias | exp.Column | exp.Dot | exp.Star):
            column.replace(exp.alias_(column.copy(), f"_col{position}"))


def _translated(node: exp.Expr) -> exp.Expr:
    for kind, translate in _BY_KIND.items():
        if isinstance(node, kind):
            return translate(node)
    return node


def _date_diff(node: exp.Expr) -> exp.Expr:
    """Athena counts whole units that have passed, DuckDB's date_diff the boundaries between."""
    unit = exp.Literal.string(node.text("unit").lower() or "day")
    return exp.Anonymous(this="date_sub", expressions=[unit, node.expression, node.this])


def _at_time_zone(node: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this="at_timezone", expressions=[node.this, node.args["zone"]])


def _format(node: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this="printf", expressions=[node.this, *node.expressions])


def _approx_distinct(node: exp.Expr) -> exp.Expr:
    node.set("accuracy", None)
    return node


def _approx_percentile(node: exp.Expr) -> exp.Expr:
    if node.args.get("weight") is not None:
        raise SqlError("approx_percentile with weights is available in Athena only")
    return node


def _json_text(node: exp.Expr) -> exp.Expr:
    """Athena casts a JSON string to its text, DuckDB to its text in quotes."""
    document = node.this
    if isinstance(document, exp.JSONExtract) and node.args["to"].is_type(*exp.DataType.TEXT_TYPES):
        return exp.JSONExtractScalar(this=document.this, expression=document.expression)
    return node


def _json_extract(node: exp.Expr) -> exp.Expr:
    if node.args.get("json_query"):
        raise _no_json_path("json_query", "json_extract")
    return node


def _json_value(_node: exp.Expr) -> exp.Expr:
    raise _no_json_path("json_value", "json_extract_scalar")


def _anonymous(node: exp.Expr) -> exp.Expr:
    name = str(node.this).lower()
    if name == "json_exists":
        raise _no_json_path("json_exists", "json_extract(...) IS NOT NULL")
    if name == "every":
        return exp.Anonymous(this="bool_and", expressions=node.expressions)
    return node


def _no_json_path(name: str, instead: str) -> SqlError:
    return SqlError(f"{name} is available in Athena only: use {instead}, which both know")


_BY_KIND: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr]] = {
    exp.DateDiff: _date_diff,
    exp.AtTimeZone: _at_time_zone,
    exp.Format: _format,
    exp.ApproxDistinct: _approx_distinct,
    exp.ApproxQuantile: _approx_percentile,
    exp.Cast: _json_text,
    exp.JSONExtract: _json_extract,
    exp.JSONValue: _json_value,
    exp.Anonymous: _anonymous,
}
