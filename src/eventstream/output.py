"""What commands print: data to stdout, everything else to stderr.

``NO_COLOR`` is honoured (by rich), ``--json`` prints one JSON document and nothing else to stdout.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any

import typer

from eventstream.columns import fit

PIPE_WIDTH = 160
"""Width of tables when stdout is no terminal: nobody's window decides what is cut."""

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document instead of text.")
]


class CommandError(Exception):
    """A command can't do what was asked: one line that says why and what to do.

    Attributes
    ----------
    exit_code
        1 when the work failed, 2 when the command was given something it can't use.
    """

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class UsageProblemError(CommandError):
    """The arguments don't fit together or name something that isn't there."""

    def __init__(self, message: str) -> None:
        super().__init__(message, exit_code=2)


def console(*, stderr: bool) -> Any:  # noqa: ANN401 - rich is imported when first used
    """Return rich's way to a standard stream, as wide as the window."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False, soft_wrap=False)


def table_width() -> int:
    """Return how many columns a table on stdout may take."""
    return int(console(stderr=False).width)


def print_json(value: object) -> None:
    """Print one JSON document to stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def print_text(text: str = "") -> None:
    """Print a line of data to stdout, as it is."""
    sys.stdout.write(text + "\n")


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    title: str | None = None,
    prose: Collection[str] = (),
) -> None:
    """Print rows to stdout as a table; numbers are grouped by thousands and right-aligned.

    Where the window is too narrow for whole cells, each row is printed as lines of its own.

    Parameters
    ----------
    columns
        Headings.
    rows
        One sequence of cells each; ``None`` prints as ``-``.
    title
        A line above the table.
    prose
        Headings of columns with free text: the only cells that are folded.
    """
    from rich.table import Table
    from rich.text import Text

    raw = [list(row) for row in rows]
    cells = [[_cell(value) for value in row] for row in raw]
    widths = fit(columns, cells, table_width(), prose)
    if widths is None:
        _print_records(columns, cells, title)
        return
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for position, (name, width) in enumerate(zip(columns, widths, strict=True)):
        number = any(isinstance(row[position], int | float) for row in raw)
        table.add_column(
            Text(name), justify="right" if number else "left", overflow="fold", width=width
        )
    for row in cells:
        table.add_row(*(Text(text) for text in row))
    console(stderr=False).print(table)


def _print_records(
    columns: Sequence[str], cells: Sequence[Sequence[str]], title: str | None
) -> None:
    """Print each row as lines of heading and cell, which a terminal may wrap but nobody cuts."""
    if title:
        print_text(title)
    indent = max(len(name) for name in columns)
    for number, row in enumerate(cells):
        if number or title:
            print_text()
        for name, text in zip(columns, row, strict=True):
            print_text(f"{name:{indent}}  {text}")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return str(value)


def note(text: str) -> None:
    """Tell a person on stderr what is going on; nobody need be there to read it."""
    with suppress(OSError):  # the terminal was closed: no reason to give up the work
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def print_error(message: str) -> None:
    """Print the one line of an error to stderr."""
    from rich.text import Text

    line = " ".join(message.split())
    with suppress(OSError):  # as in note: the exit code tells the rest
        console(stderr=True).print(
            Text.assemble(("error: ", "bold red"), line), soft_wrap=True, crop=False
        )


def field_lines(errors: Iterable[Mapping[str, str]]) -> list[str]:
    """Spell the field errors of an answer, one line each.

    >>> field_lines([{"field": "user_id", "rule": "too_long", "message": "at most 256"}])
    ['user_id: at most 256 (too_long)']
    """
    return [f"{spell_field(each)} ({each.get('rule', '?')})" for each in errors]


def spell_field(error: Mapping[str, str]) -> str:
    """Spell one field error; most messages of the API begin with the field's name already.

    >>> spell_field({"field": "timestamp", "message": "timestamp must be an instant"})
    'timestamp must be an instant'
    """
    name, message = str(error.get("field", "body")), str(error.get("message", "refused"))
    begins = message.startswith((f"{name} ", f"{name}:"))
    return message if begins else f"{name}: {message}"


def spell_json_error(error: ValueError, line: int | None = None) -> str:
    """Say why a text isn't JSON, and where.

    Parameters
    ----------
    error
        What reading it raised.
    line
        The line's number in its file, where the text is one line of many.

    Examples
    --------
    >>> spell_json_error(json.JSONDecodeError("Expecting value", "[1, ]", 4), line=7)
    "isn't JSON at line 7, column 5: expecting value"
    """
    if not isinstance(error, json.JSONDecodeError):
        return f"isn't JSON{'' if line is None else f' at line {line}'}: {error}"
    reason = error.msg.partition(":")[0].removesuffix(" starting at")
    place = f"line {line or error.lineno}, column {error.colno}"
    return f"isn't JSON at {place}: {reason[:1].lower()}{reason[1:]}"


def plural(count: int, noun: str) -> str:
    """Spell so many of something.

    >>> plural(1, "line"), plural(1200, "line")
    ('1 line', '1,200 lines')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
