"""``eventstream sql``: Athena's SQL over the lake, on this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from eventstream.lake import samples
from eventstream.lake.cache import LakeCache
from eventstream.lake.output import Taken, print_csv, print_rows, take, to_json
from eventstream.lake.sql import run
from eventstream.lake.statement import SCHEMA
from eventstream.local.state import find_project, folder_in_use
from eventstream.output import (
    JsonOption,
    UsageProblemError,
    note,
    print_json,
    print_table,
)
from eventstream.progress import progress
from eventstream.target import (
    ProfileOption,
    RegionOption,
    StackNameOption,
    StateOption,
    Target,
    resolve,
)

TABLE_ROWS = 100
"""Rows of a table when no limit is given: a person reads no more."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sql")(sql)


def sql(
    statement: Annotated[
        str | None, typer.Argument(metavar="STATEMENT", help="One statement, in quotes.")
    ] = None,
    *,
    file: Annotated[
        str | None, typer.Option("-f", "--file", help="Read the statement from a file, or from -.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help='A sample query, such as "Top events".'),
    ] = None,
    list_samples: Annotated[bool, typer.Option("--list", help="List the sample queries.")] = False,
    days: Annotated[
        int,
        typer.Option("--days", metavar="N", min=1, max=366, help="Days that a sample query reads."),
    ] = 7,
    until: Annotated[
        datetime | None,
        typer.Option(
            "--until",
            metavar="DATE",
            formats=["%Y-%m-%d"],
            help="The last of these days.",
            show_default="today",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=1,
            help="Most rows.",
            show_default=f"{TABLE_ROWS} in a table, else all",
        ),
    ] = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    state: StateOption = None,
    stack_name: StackNameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """Query the lake with SQL.

    The dialect is Athena's; the tables are `events` (each event once) and `events_raw`. Objects
    of the lake are copied to this machine first, only those that the conditions on year, month,
    day and hour let through.

    Example: eventstream sql "SELECT event_type, count(*) AS n FROM events GROUP BY 1"
    """
    if as_json and as_csv:
        raise UsageProblemError("give --json or --csv, not both")
    if list_samples:
        _list(as_json=as_json)
        return
    last = until.date() if until else datetime.now(UTC).date()
    text = _statement(statement, file, name, (last - timedelta(days=days - 1), last))
    target = resolve(state, stack_name, region, profile)
    most = limit if limit or as_json or as_csv else TABLE_ROWS
    with run(text, _lake(target, state), schemas=_schemas(target)) as result:
        if as_csv:
            taken = print_csv(result, most)
        else:
            rows, taken = take(result, most)
            if as_json:
                print_json(to_json(result, rows, taken))
            else:
                print_rows(result, rows)
    _tell(taken, as_table=not (as_json or as_csv))


def _tell(taken: Taken, *, as_table: bool) -> None:
    if taken.more:
        note(f"these are the first {taken.rows:,} rows; raise --limit for more")
    elif as_table:
        note(f"{taken.rows:,} {'row' if taken.rows == 1 else 'rows'}")


def _statement(
    statement: str | None, file: str | None, name: str | None, days: tuple[date, date]
) -> str:
    if sum(given is not None for given in (statement, file, name)) != 1:
        raise UsageProblemError("give exactly one of STATEMENT, --file and --name")
    if name is not None:
        first, last = days
        note(f"days {first} to {last}, UTC")
        return samples.over_days(samples.find(_samples(), name).sql, first, last)
    return statement if statement is not None else _read(str(file))


def _read(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageProblemError(f"can't read {file}: {error}") from None


def _samples() -> Sequence[samples.Sample]:
    path = find_project() / samples.FILE
    try:
        return samples.read(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageProblemError(f"can't read the sample queries: {error}") from None


def _list(*, as_json: bool) -> None:
    found = _samples()
    if as_json:
        print_json([{"name": each.name, "about": each.about, "sql": each.sql} for each in found])
    else:
        rows = [(each.name, each.about) for each in found]
        print_table(("name", "about"), rows, prose=("about",))


def _schemas(target: Target) -> frozenset[str]:
    database = target.resources.get("GlueDatabase", SCHEMA)
    return frozenset({SCHEMA, database.lower()})


def _lake(target: Target, state: Path | None) -> LakeCache:
    bucket = target.resource("LakeBucket")
    folder = folder_in_use(state).root / "lake-cache" / bucket
    return LakeCache(
        target.client("s3"), bucket, folder, show=lambda total: progress("fetching objects", total)
    )
