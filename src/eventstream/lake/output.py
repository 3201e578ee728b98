"""Rows of SQL answers as text, as CSV and as JSON."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from eventstream.columns import fit
from eventstream.lake.sql import Result
from eventstream.output import console

WIDEST_TABLE = 12
"""Rows of more columns are printed one under the other, a line for each column."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the start of a formula."""


@dataclass(slots=True)
class Taken:
    """How many rows were taken, and whether there are more."""

    rows: int = 0
    more: bool = False


def take(result: Result, limit: int | None) -> tuple[list[Sequence[Any]], Taken]:
    """Read at most ``limit`` rows; all of them without one."""
    rows = list(islice(result.rows, None if limit is None else limit + 1))
    more = limit is not None and len(rows) > limit
    return rows[:limit], Taken(len(rows[:limit]), more)


def print_rows(result: Result, rows: Sequence[Sequence[Any]]) -> None:
    """Print rows to stdout for a person: as a table where its cells fit whole."""
    from rich.table import Table
    from rich.text import Text

    names = [_visible(name) for name in result.columns]
    cells = [[_cell(value) for value in row] for row in rows]
    screen = console(stderr=False)
    widths = fit(names, cells, screen.width)
    if widths is None or len(names) > WIDEST_TABLE:
        _print_records(result, rows)
        return
    table = Table(header_style="bold")
    for position, (name, width) in enumerate(zip(names, widths, strict=True)):
        number = any(_is_number(row[position]) for row in rows)
        table.add_column(
            Text(name), justify="right" if number else "left", overflow="fold", width=width
        )
    for texts in cells:
        table.add_row(*(Text(text) for text in texts))
    screen.print(table)


def _print_records(result: Result, rows: Sequence[Sequence[Any]]) -> None:
    width = max(len(name) for name in result.columns)
    for number, row in enumerate(rows, start=1):
        sys.stdout.write(f"row {number:,}\n")
        for name, value in zip(result.columns, row, strict=True):
            if value is not None:
                sys.stdout.write(f"  {_visible(name):{width}}  {_cell(value)}\n")


def print_csv(result: Result, limit: int | None) -> Taken:
    """Print rows to stdout as CSV, as they are read.

    Text that a spreadsheet would run as a formula gets a ``'`` before it: what clients send must
    not become code on the desk of whoever opens the file.
    """
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_harmless(name) for name in result.columns)
    taken = Taken()
    for row in result.rows:
        if limit is not None and taken.rows == limit:
            taken.more = True
            break
        writer.writerow(_csv_cell(value) for value in row)
        taken.rows += 1
    return taken


def to_json(result: Result, rows: Sequence[Sequence[Any]], taken: Taken) -> dict[str, Any]:
    """Return rows as one JSON object; columns of one name are told apart by their number."""
    names = list(_distinct(result.columns))
    return {
        "columns": [
            {"name": name, "type": kind} for name, kind in zip(names, result.types, strict=True)
        ],
        "rows": [
            {name: _plain(value) for name, value in zip(names, row, strict=True)} for row in rows
        ],
        "more": taken.more,
    }


def _distinct(names: Sequence[str]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        yield name if seen[name] == 1 else f"{name}_{seen[name]}"


def _plain(value: Any) -> Any:  # noqa: ANN401 - any value of SQL
    """Return a value as JSON has it: instants as Athena writes them, NaN as null."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return _plain_scalar(value)


def _plain_scalar(value: Any) -> Any:  # noqa: ANN401 - any value of SQL
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return _instant(value)
    return value.hex() if isinstance(value, bytes) else str(value)


def _instant(value: datetime) -> str:
    text = value.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")
    return text if value.tzinfo is None else f"{text} UTC"


def _text(value: Any) -> str:  # noqa: ANN401 - any value of SQL
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value)
    plain = _plain(value)
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, dict | list) else str(plain)


def _cell(value: Any) -> str:  # noqa: ANN401 - any value of SQL
    return "-" if value is None else _visible(_text(value))


def _visible(text: str) -> str:
    """Spell out what could drive a terminal: clients' texts are printed here."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _is_number(value: Any) -> bool:  # noqa: ANN401 - any value of SQL
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _csv_cell(value: Any) -> str:  # noqa: ANN401 - any value of SQL
    if value is None:
        return ""
    return _text(value) if _is_number(value) else _harmless(_text(value))


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
