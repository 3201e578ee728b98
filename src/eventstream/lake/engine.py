"""DuckDB over files of the lake, locked to them."""

from __future__ import annotations

import difflib
import re
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from common.domain.lake_schema import COLUMNS, PARTITIONS
from eventstream.lake import ddl as athena_ddl
from eventstream.lake.dialect import MACROS, to_duckdb
from eventstream.lake.statement import DIALECT, SESSIONS, TABLE, VIEW, SqlError

_TYPES = {
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "double": "DOUBLE",
    "timestamp": "TIMESTAMP",
}
"""DuckDB's type for each of the table's."""

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
}
_SETTINGS = (
    "SET TimeZone = 'UTC'",
    # As in Athena: 7 / 2 is 3.
    "SET integer_division = true",
)


_ATHENA_TYPES = {
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "HUGEINT": "bigint",
    "FLOAT": "real",
    "BLOB": "varbinary",
}
"""Athena's names of the types that it does not call as DuckDB does."""

_FETCH_ROWS = 10_000
_NO_COLUMN = re.compile(r'Referenced column "([^"]+)"')
_KIND = re.compile(r"^[A-Z][A-Za-z ]* Error: ")
_ADVICE = re.compile(r"\n\n|\nLINE |\n\tCandidate| You might need| Use TRY")
"""What follows is about DuckDB and not about the statement."""
_NO_FUNCTION = re.compile(r"Function with name (\w+) does not exist")


@contextmanager
def engine(files: Sequence[Path], today: date | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB over some files of the lake, locked to them.

    Parameters
    ----------
    files
        The files.
    today
        The day in whose month and the one before the sessions of the view are; in UTC, and that
        of this machine's clock when not given.
    """
    today = today or datetime.now(UTC).date()
    with (
        tempfile.TemporaryDirectory(prefix="eventstream-sql-") as spill,
        duckdb.connect(config=_CONFIG) as connection,
    ):
        for setting in _SETTINGS:
            connection.execute(setting)
        connection.execute(f"SET temp_directory = {_quoted(spill)}")
        connection.execute(f"SET allowed_paths = [{', '.join(_quoted(each) for each in files)}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        for macro in MACROS:
            connection.execute(macro)
        with _our_errors():
            connection.execute(f"CREATE VIEW {TABLE} AS {_table(connection, files)}")
            for name, statement in (
                (VIEW, athena_ddl.view(database="")),
                (SESSIONS, athena_ddl.sessions_view("", athena_ddl.months_to(today))),
            ):
                connection.execute(f"CREATE VIEW {name} AS {_view(statement)}")
        yield connection


def _quoted(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _table(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> str:
    """Select the table's columns from the files; one that an old file lacks is null."""
    integers = ", ".join(f"{_quoted(name)}: INTEGER" for name in PARTITIONS)
    source = (
        f"read_parquet([{', '.join(_quoted(each) for each in files)}], union_by_name = true, "
        f"hive_partitioning = true, hive_types = {{{integers}}})"
    )
    types = {column.name: _TYPES[column.athena] for column in COLUMNS}
    types |= dict.fromkeys(PARTITIONS, "INTEGER")
    present = set[str]()
    if files:
        present = {row[0] for row in connection.execute(f"DESCRIBE FROM {source}").fetchall()}
    columns = ", ".join(
        f"CAST({_identifier(name) if name in present else 'NULL'} AS {kind}) AS {_identifier(name)}"
        for name, kind in types.items()
    )
    return " ".join(("SELECT", columns, f"FROM {source}" if files else "WHERE false"))


def _identifier(name: str) -> str:
    return f'"{name}"'


def _view(statement: str) -> str:
    """Return the query of a view, by the very statement that Athena is given."""
    create = sqlglot.parse_one(statement, read=DIALECT)
    query = create.expression
    if not isinstance(query, exp.Query):
        raise TypeError("the view is not made by a query")
    return to_duckdb(query)


def select(
    connection: duckdb.DuckDBPyConnection, text: str, quoted: Collection[str] = ()
) -> tuple[list[str], list[str], Iterator[Sequence[Any]]]:
    """Run a query in DuckDB's dialect.

    Parameters
    ----------
    connection
        The engine.
    text
        The query.
    quoted
        Names that stood in double quotes where it was written.

    Returns
    -------
    tuple
        Names of the columns, Athena's names of their types, and the rows as they are read.

    Raises
    ------
    SqlError
        The query fails; also while the rows are read.
    """
    with _our_errors(quoted):
        connection.execute(text)
    description = connection.description or []
    types = [_ATHENA_TYPES.get(str(kind), str(kind).lower()) for _, kind, *_ in description]
    return [name for name, *_ in description], types, _rows(connection)


def _rows(connection: duckdb.DuckDBPyConnection) -> Iterator[Sequence[Any]]:
    while True:
        with _our_errors():
            rows = connection.fetchmany(_FETCH_ROWS)
        if not rows:
            return
        yield from rows


@contextmanager
def _our_errors(quoted: Collection[str] = ()) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise SqlError(_explained(str(error), quoted)) from None


def _explained(text: str, quoted: Collection[str]) -> str:
    """Say what is wrong without DuckDB's name for it, and what was probably meant."""
    if found := _NO_COLUMN.search(text):
        names = [column.name for column in COLUMNS] + list(PARTITIONS)
        names += athena_ddl.SESSION_COLUMNS
        close = difflib.get_close_matches(found[1].lower(), names, n=3)
        hint = f"did you mean {', '.join(close)}?" if close else f"DESCRIBE {VIEW} lists them"
        if found[1] in quoted:
            text_instead = f"a text stands in single quotes, {_quoted(found[1])}"
            hint = f"{text_instead}; {hint}" if close else text_instead
        return f"COLUMN_NOT_FOUND: there is no column {found[1]}: {hint}"
    if found := _NO_FUNCTION.search(text):
        return (
            f"FUNCTION_NOT_FOUND: {found[1].lower()} is not available on this machine; docs/sql.md "
            "tells what differs from Athena"
        )
    return " ".join(_ADVICE.split(_KIND.sub("", text))[0].split()).rstrip(".")
