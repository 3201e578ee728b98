"""From SQL text to one statement that only reads, or a refusal that says why.

What may run is decided on the parsed statement, by what is allowed: a query, or one of a few
statements that describe, over the lake's table and its views and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from eventstream.output import CommandError

DIALECT = "athena"
TABLE = "events_raw"
VIEW = "events"
SESSIONS = "sessions"
NAMES = (VIEW, SESSIONS, TABLE)
"""What a statement may read."""
SCHEMA = "eventstream"
_CATALOG = "awsdatacatalog"

# The parser warns of what it keeps as plain words; those are judged here instead.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

_NOT_READING = (
    exp.Alter,
    exp.Attach,
    exp.Command,
    exp.Copy,
    exp.Create,
    exp.Delete,
    exp.Detach,
    exp.Drop,
    exp.Insert,
    exp.Into,
    exp.Merge,
    exp.Pragma,
    exp.Set,
    exp.TruncateTable,
    exp.Update,
    exp.Use,
)


class SqlError(CommandError):
    """A statement was refused, or failed: the message says why in one line."""


@dataclass(frozen=True, slots=True)
class Query:
    """A statement that reads the lake."""

    tree: exp.Query


@dataclass(frozen=True, slots=True)
class Describe:
    """A statement that tells about a table rather than its rows."""

    what: str
    """``tables``, ``schemas``, ``columns``, ``partitions`` or ``create``."""
    table: str = TABLE


def parse(sql: str, *, schemas: frozenset[str] = frozenset({SCHEMA})) -> Query | Describe:
    """Read one statement of Athena's dialect.

    Parameters
    ----------
    sql
        The text; a semicolon at its end is tolerated.
    schemas
        Names under which a statement may call the database of the two tables, in lower case.

    Raises
    ------
    SqlError
        It is no SQL, more than one statement, or does anything but read the two tables.
    """
    tree = _only(sql)
    if isinstance(tree, exp.Query):
        _check(tree, schemas)
        return Query(tree)
    described = _described(tree, schemas)
    if described is None:
        refused = isinstance(tree, _NOT_READING)
        raise SqlError(
            f"{f'{_verb(tree)} is refused' if refused else 'SYNTAX_ERROR: this is no statement'}: "
            "the lake is read-only here. Use one SELECT, WITH, SHOW or DESCRIBE statement"
        )
    return described


def _only(sql: str) -> exp.Expr:
    try:
        trees = [tree for tree in sqlglot.parse(sql, read=DIALECT) if tree is not None]
    except SqlglotError as error:
        raise SqlError(f"SYNTAX_ERROR: {_where(error)}") from None
    if not trees:
        raise SqlError("there is no statement: give one SELECT, WITH, SHOW or DESCRIBE statement")
    if len(trees) > 1:
        raise SqlError(f"one statement at a time: these are {len(trees)}")
    tree = trees[0]
    if not isinstance(tree, exp.Expr):
        raise SqlError("SYNTAX_ERROR: this is no statement")
    return tree


def _where(error: SqlglotError) -> str:
    found = getattr(error, "errors", None) or [{}]
    first = found[0]
    if "line" not in first:
        return "cannot read this text as SQL"
    near = str(first.get("highlight") or "").strip()
    place = f"line {first['line']}, column {first['col']}"
    problem = str(first["description"]).split(" but got <")[0].rstrip(".")
    return f"{place}: {problem}{f' at {near!r}' if near else ''}"


def _verb(tree: exp.Expr) -> str:
    if isinstance(tree, exp.Command):
        return str(tree.this).upper()
    return type(tree).__name__.upper()


def _check(tree: exp.Query, schemas: frozenset[str]) -> None:
    """Refuse what writes, and every source of rows but the two tables."""
    for node in tree.walk():
        if isinstance(node, _NOT_READING):
            raise SqlError(f"{_verb(node)} is refused: the lake is read-only here")
        if isinstance(node, exp.Placeholder | exp.Parameter):
            raise SqlError("parameters are not filled in here: write the value in their place")
    for table in tree.find_all(exp.Table):
        _check_table(table, schemas)


def _is_named_above(table: exp.Table) -> bool:
    """Say whether a WITH around a reference gives it a meaning."""
    above = table.parent
    while above is not None:
        if isinstance(above, exp.Query) and table.name.lower() in {
            cte.alias.lower() for cte in above.ctes
        }:
            return True
        above = above.parent
    return False


def _check_table(table: exp.Table, schemas: frozenset[str]) -> None:
    if not isinstance(table.this, exp.Identifier):
        raise SqlError(
            f"{table.sql(DIALECT)[:80]} is refused: functions that make tables are not available, "
            f"only {', '.join(NAMES)} and UNNEST(...)"
        )
    if table.args.get("version") is not None:
        raise SqlError("FOR TIMESTAMP and FOR VERSION are refused: the lake keeps no versions")
    if not table.db and _is_named_above(table):
        return
    if table.catalog.lower() not in ("", _CATALOG) or table.db.lower() not in {"", *schemas}:
        raise SqlError(f"SCHEMA_NOT_FOUND: the tables are in the schema {SCHEMA}, or in none")
    if table.name.lower() not in NAMES:
        raise SqlError(
            f"TABLE_NOT_FOUND: there is no table {table.name[:80]}; use {VIEW} (each event once), "
            f"{SESSIONS} (of two months) or {TABLE} (every stored copy)"
        )


def base_tables(tree: exp.Query) -> Iterator[exp.Table]:
    """Yield the references to the tables of the lake; a CTE of the same name counts too."""
    for table in tree.find_all(exp.Table):
        if table.name.lower() in NAMES:
            yield table


_SHOWN = {
    ("TABLES",): "tables",
    ("VIEWS",): "tables",
    ("DATABASES",): "schemas",
    ("SCHEMAS",): "schemas",
    ("PARTITIONS",): "partitions",
    ("COLUMNS", "FROM"): "columns",
    ("COLUMNS", "IN"): "columns",
    ("CREATE", "TABLE"): "create",
    ("CREATE", "VIEW"): "create",
}
_OF_ONE_TABLE = ("partitions", "columns", "create")


def _described(tree: exp.Expr, schemas: frozenset[str]) -> Describe | None:
    if isinstance(tree, exp.Describe) and isinstance(tree.this, exp.Table):
        return Describe("columns", _known(tree.this, schemas))
    if not (isinstance(tree, exp.Command) and str(tree.this).upper() == "SHOW"):
        return None
    tokens = sqlglot.tokenize(tree.text("expression"), read=DIALECT)
    words = [token.text for token in tokens if token.text.strip("`")]
    for form, what in _SHOWN.items():
        if tuple(word.upper() for word in words[: len(form)]) == form:
            rest = words[len(form) :]
            if what in _OF_ONE_TABLE:
                return Describe(what, _named(rest, schemas))
            return None if rest else Describe(what)
    return None


def _named(words: list[str], schemas: frozenset[str]) -> str:
    text = "".join(words)
    try:
        return _known(exp.to_table(text, dialect=DIALECT), schemas)
    except SqlglotError:
        raise SqlError(f"name one table: {', '.join(NAMES)}") from None


def _known(table: exp.Table, schemas: frozenset[str]) -> str:
    _check_table(table, schemas)
    return table.name.lower()
