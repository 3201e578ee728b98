"""The figures of the fault suites at the end of a run, whichever process came to them.

Rows travel as properties of a test's report, so that they also arrive from the workers of xdist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

_PROPERTY = "fault figures"
_KINDS = ("family", "control", "line")
_NAME = 66


@dataclass(frozen=True)
class Figures:
    """Takes down what a test came to, to be shown beside what the others came to."""

    record: Callable[[str, object], None]

    def family(self, name: str, tried: int, wrong: int, note: str = "") -> None:
        """Show how many schedules of a family went wrong; none may."""
        self._add("family", name, f"{tried:>9,}{wrong:>7,}  {note}")

    def control(
        self, name: str, failed: int, tried: int, *, more_than: float, note: str = ""
    ) -> None:
        """Show in how many schedules a wrong design was found out, and hold that it was.

        Raises
        ------
        AssertionError
            In too few: the harness does not see what it is there to see.
        """
        self._add("control", name, f"{failed:>9,}{tried:>9,}{more_than:>8.1%}  {note}")
        assert failed > more_than * tried, f"{name}: {failed} of {tried} went wrong"

    def line(self, text: str) -> None:
        """Show a line of another form."""
        self._add("control" if "CONTROL" in text else "line", text, "")

    def _add(self, kind: str, name: str, figures: str) -> None:
        self.record(_PROPERTY, [kind, name, figures])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what the tests of faults took down, if any ran."""
    rows = sorted(_rows(terminalreporter), key=lambda row: _KINDS.index(row[0]))
    if not rows:
        return
    terminalreporter.section("Faults: what was tried, and how often it went wrong")
    heads = {
        "family": f"{'family':<{_NAME}}{'schedules':>9}{'wrong':>7}",
        "control": f"\n{'control, which must fail':<{_NAME}}{'failed':>9}{'of':>9}{'needs >':>8}",
        "line": "\nand",
    }
    for kind, name, figures in rows:
        if head := heads.pop(kind, None):
            terminalreporter.write_line(head)
        terminalreporter.write_line(f"{name:<{_NAME}}{figures}".rstrip())


def _rows(reporter: pytest.TerminalReporter) -> Iterator[tuple[str, str, str]]:
    reports: Iterable[Any] = (
        report for outcome in ("passed", "failed") for report in reporter.stats.get(outcome, ())
    )
    for report in reports:
        for name, value in getattr(report, "user_properties", ()):
            if name == _PROPERTY and report.when == "call":
                yield tuple(value)
