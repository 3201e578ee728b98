"""How far a piece of work has come, on stderr.

A person gets a bar; a pipe gets a log line every few seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from eventstream.output import console, note

LOG_EVERY_S = 5.0
"""How often progress is logged where there is no terminal to draw a bar on."""


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
    with RichProgress(*columns, console=console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=total, rate="")
        started, done = now(), 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            rate = done / max(now() - started, 1e-9)
            shown.update(task, advance=count, rate=f"{rate:,.0f}/s")

        yield _Bar(advance)
