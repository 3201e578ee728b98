"""Athena's SQL over the lake on this machine: sqlglot translates, DuckDB runs.

Two walls stand between a statement and the machine: :mod:`eventstream.lake.statement` lets pass
only what reads the two tables, and DuckDB itself may open nothing but the lake's files, load
nothing, and change no setting.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Protocol

from sqlglot import exp

from common.domain.lake_schema import COLUMNS, PARTITIONS
from eventstream.lake import ddl as athena_ddl
from eventstream.lake.dialect import to_duckdb
from eventstream.lake.engine import engine, select
from eventstream.lake.pruning import Pruning
from eventstream.lake.statement import (
    NAMES,
    SCHEMA,
    SESSIONS,
    VIEW,
    Describe,
    Query,
    SqlError,
    parse,
)


class LakeFiles(Protocol):
    """Where the engine gets the lake's objects from."""

    def files(self, pruning: Pruning) -> Sequence[Path]:
        """Return the files of the partitions that are needed, under ``year=.../`` folders."""
        ...

    def partitions(self) -> Sequence[dict[str, int]]:
        """Return the Hive partitions there are, oldest first."""
        ...


@dataclass
class Result:
    """Rows of an answer; read them once, while the engine's context is open."""

    columns: list[str]
    types: list[str]
    """Athena's names of the columns' types."""
    rows: Iterable[Sequence[Any]] = field(repr=False)


@contextmanager
def run(
    sql: str,
    lake: LakeFiles,
    *,
    schemas: frozenset[str] = frozenset({SCHEMA}),
    today: date | None = None,
) -> Iterator[Result]:
    """Run one statement that reads.

    Parameters
    ----------
    sql
        One SELECT, WITH, SHOW or DESCRIBE statement in Athena's dialect.
    lake
        The lake's objects; only those a query needs are asked for.
    schemas
        Names that the statement may call the database, in lower case.
    today
        The day of the question, in UTC; that of this machine's clock when not given.

    Raises
    ------
    SqlError
        The statement is refused, or fails; also while the rows are read.
    """
    statement = parse(sql, schemas=schemas)
    if isinstance(statement, Describe):
        yield _described(statement, lake)
        return
    quoted = {each.name for each in statement.tree.find_all(exp.Identifier) if each.quoted}
    text = to_duckdb(statement.tree)
    today = today or datetime.now(UTC).date()
    with engine(lake.files(Pruning(statement.tree, today)), today) as connection:
        yield Result(*select(connection, text, quoted))


def translate(sql: str, *, schemas: frozenset[str] = frozenset({SCHEMA})) -> str:
    """Check one query of Athena's dialect and return it in DuckDB's.

    Raises
    ------
    SqlError
        It is no query, or refused.
    """
    statement = parse(sql, schemas=schemas)
    if not isinstance(statement, Query):
        raise SqlError("only a query can be translated")
    return to_duckdb(statement.tree)


def _described(statement: Describe, lake: LakeFiles) -> Result:
    if statement.what == "tables":
        return _texts(["tab_name"], [(name,) for name in NAMES])
    if statement.what == "schemas":
        return _texts(["database_name"], [(SCHEMA,)])
    if statement.what == "partitions":
        paths = ("/".join(f"{k}={v:02d}" for k, v in each.items()) for each in lake.partitions())
        return _texts(["partition"], [(path,) for path in paths])
    if statement.what == "create":
        makers = {VIEW: athena_ddl.view, SESSIONS: athena_ddl.sessions_view}
        text = makers.get(statement.table, athena_ddl.table)(SCHEMA)
        return _texts(["statement"], [(line,) for line in text.rstrip(";\n").splitlines()])
    if statement.table == SESSIONS:
        columns = athena_ddl.SESSION_COLUMNS.items()
        return _texts(["column", "type", "comment"], [(name, *of) for name, of in columns])
    rows = [(each.name, each.athena, athena_ddl.COMMENTS[each.name]) for each in COLUMNS]
    rows += [(name, "int", "Hive partition: event time, UTC") for name in PARTITIONS]
    return _texts(["column", "type", "comment"], rows)


def _texts(columns: list[str], rows: Sequence[Sequence[str]]) -> Result:
    return Result(columns, ["varchar"] * len(columns), rows)
