from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.local_pipeline import LocalPipeline
from eventstream.local import stopping

MakePipeline = Callable[..., LocalPipeline]

KILLS = 5


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills", type=int, help="invocations of the process function to interrupt by kill -9"
    )
    parser.addoption(
        "--whole-month", action="store_true", help="run the ETL over every hour of the real month"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Hand the options to the tests; collected late, this file has no say in the options."""
    if asked := config.getoption("kills", None):
        os.environ["E2E_KILLS"] = str(asked)
    if config.getoption("whole_month", None):
        os.environ["E2E_WHOLE_MONTH"] = "1"


@pytest.fixture(scope="session")
def kills() -> int:
    """Return how often the process function is killed: a little in the gate, 100 as torture."""
    return int(os.environ.get("E2E_KILLS", KILLS))


@pytest.fixture(scope="session")
def whole_month() -> bool:
    """Say whether the ETL runs over the whole real month, or over its first week."""
    return "E2E_WHOLE_MONTH" in os.environ


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[MakePipeline]:
    """Make pipelines with template parameters of the test's choice; all are stopped at the end."""
    made: list[LocalPipeline] = []

    def make(**parameters: str) -> LocalPipeline:
        made.append(LocalPipeline(tmp_path / f"state-{len(made)}", parameters))
        return made[-1]

    yield make
    for each in made:
        stopping.stop(each.state)
