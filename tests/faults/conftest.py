"""Threads for the schedules, and a table of what they came to."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator

import pytest

from faults.judge import Verdicts
from faults.stepping import Runners

Report = Callable[[str, Verdicts], None]

_HEAD = (
    f"{'':<58}{'schedules':>9}{'deliveries':>11}{'hot bad':>9}"
    f"{'+':>6}{'-':>6}{'lake':>6}{'mark':>6}"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--schedules",
        type=int,
        help="random schedules per family of faults (`pytest tests/faults --schedules 10000`)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Hand the option to the schedules; collected late, this file has no say in the options."""
    asked = config.getoption("schedules", None)
    if asked:
        os.environ["FAULT_SCHEDULES"] = str(asked)


@pytest.fixture(scope="session")
def runners() -> Iterator[Runners]:
    stock = Runners()
    yield stock
    stock.end()


@pytest.fixture(scope="session")
def report_line() -> Iterator[Callable[[str], None]]:
    """Collect lines that are shown at the end by ``pytest -s``."""
    lines: list[str] = []
    yield lines.append
    sys.stdout.write("\n" + "\n".join(["", _HEAD, *lines, ""]))


@pytest.fixture(scope="session")
def report(report_line: Callable[[str], None]) -> Report:
    """Show the figures of a set of schedules."""

    def add(name: str, of: Verdicts) -> None:
        report_line(
            f"{name:<58}{of.schedules:>9}{of.deliveries:>11}{of.hot_wrong:>9}"
            f"{of.over:>6}{of.lost:>6}{of.ids_wrong:>6}{of.marked_too_early:>6}"
        )

    return add
