"""Threads for the schedules, how many of them to run, and where their figures go."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from faults.judge import Verdicts
from faults.stepping import Runners
from faults.summary import Figures

Report = Callable[[str, Verdicts], None]

_OPTIONS = {
    "schedules": "random schedules per family of faults",
    "runs": "runs of the state machine",
    "interleavings": "interleavings of an hour's writers, runs and senders",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    for name, what in _OPTIONS.items():
        parser.addoption(f"--{name}", type=int, help=f"{what}, in place of the gate's few")


def pytest_configure(config: pytest.Config) -> None:
    """Hand the options to the schedules; collected late, this file has no say in the options."""
    for name in _OPTIONS:
        if asked := config.getoption(name, None):
            os.environ[f"FAULT_{name.upper()}"] = str(asked)


@pytest.fixture(scope="session")
def runners() -> Iterator[Runners]:
    stock = Runners()
    yield stock
    stock.end()


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    """Take down figures for the end of the run."""
    return Figures(record_property)


@pytest.fixture
def report_line(figures: Figures) -> Callable[[str], None]:
    """Take down a line."""
    return figures.line


@pytest.fixture
def report(figures: Figures) -> Report:
    """Take down the figures of a family of schedules."""

    def add(name: str, of: Verdicts) -> None:
        figures.family(f"counters: {name}", of.schedules, of.wrong, of.note)

    return add
