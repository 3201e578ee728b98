"""What commands print: data to stdout, everything else to stderr.

A person gets tables and progress bars; a pipe gets plain text, and a log line every few seconds
where a terminal would show a bar. ``NO_COLOR`` is honoured (by rich), ``--json`` prints one JSON
document and nothing else to stdout.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Protocol

import typer

PIPE_WIDTH = 160
"""Width of tables when stdout is no terminal: nobody's window decides what is cut."""

LOG_EVERY_S = 5.0
"""How often progress is logged where there is no terminal to draw a bar on."""

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


def _console(*, stderr: bool) -> Any:  # noqa: ANN401 - rich is imported when first used
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False, soft_wrap=False)


def table_width() -> int:
    """Return how many columns a table on stdout may take."""
    return int(_console(stderr=False).width)


def print_json(value: object) -> None:
    """Print one JSON document to stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def print_text(text: str = "") -> None:
    """Print a line of data to stdout, as it is."""
    sys.stdout.write(text + "\n")


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None
) -> None:
    """Print rows to stdout as a table; numbers are grouped by thousands and right-aligned.

    Parameters
    ----------
    columns
        Headings.
    rows
        One sequence of cells each; ``None`` prints as ``-``.
    title
        A line above the table.
    """
    from rich.table import Table
    from rich.text import Text

    cells = [list(row) for row in rows]
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for position, name in enumerate(columns):
        number = any(isinstance(row[position], int | float) for row in cells)
        table.add_column(Text(name), justify="right" if number else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(_cell(value)) for value in row))
    _console(stderr=False).print(table)


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
    """Tell a person on stderr what is going on."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def print_error(message: str) -> None:
    """Print the one line of an error to stderr."""
    from rich.text import Text

    line = " ".join(message.split())
    _console(stderr=True).print(
        Text.assemble(("error: ", "bold red"), line), soft_wrap=True, crop=False
    )


class Progress(Protocol):
    """How far a piece of work has come."""

    def advance(self, count: int) -> None:
        """Count work as done."""
        ...


class _LogLines:
    """Progress as a log line every few seconds."""

    def __init__(self, what: str, total: int | None, now: Callable[[], float]) -> None:
        self._what, self._total, self._now = what, total, now
        self._started = self._last = now()
        self._done = 0

    def advance(self, count: int) -> None:
        self._done += count
        if self._now() - self._last >= LOG_EVERY_S:
            self._last = self._now()
            note(self.line())

    def line(self) -> str:
        """Spell the state: how much, how fast, how long still."""
        rate = self._done / max(self._now() - self._started, 1e-9)
        if not self._total:
            return f"{self._what}: {self._done:,}, {rate:,.0f}/s"
        left = (self._total - self._done) / rate if rate else 0.0
        share = 100 * self._done / self._total
        return (
            f"{self._what}: {self._done:,} of {self._total:,} ({share:.0f} %), "
            f"{rate:,.0f}/s, about {left:.0f} s left"
        )


class _Bar:
    """Progress as a bar on a terminal."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance = advance

    def advance(self, count: int) -> None:
        self._advance(count)


@contextmanager
def progress(
    what: str, total: int | None, *, now: Callable[[], float] = time.monotonic
) -> Iterator[Progress]:
    """Show how far a piece of work has come, on stderr.

    Parameters
    ----------
    what
        The work, such as ``loading``.
    total
        How many steps there are; ``None`` when nobody knows.
    now
        The clock, in seconds.
    """
    if not sys.stderr.isatty():
        yield _LogLines(what, total, now)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=_console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=total, rate="")
        started, done = now(), 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            rate = done / max(now() - started, 1e-9)
            shown.update(task, advance=count, rate=f"{rate:,.0f}/s")

        yield _Bar(advance)


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
