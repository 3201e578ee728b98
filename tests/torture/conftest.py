"""How much is tried: little in the gate, all of it by ``make torture``."""

from __future__ import annotations

import os

import pytest

_DEFAULTS = {
    "bodies": 20_000,
    "samples": 2_000,
    "put_schedules": 2_000,
    "examples": 60,
    "api_examples": 4,
}
_HELP = {
    "bodies": "random requests to send to the handler",
    "samples": "accepted events to read back from the lake",
    "put_schedules": "random schedules of faults of the stream",
    "examples": "examples of the property of batches",
    "api_examples": "requests to each operation of the API's description, valid and not",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    for name, what in _HELP.items():
        parser.addoption(f"--{name.replace('_', '-')}", type=int, help=what)


def pytest_configure(config: pytest.Config) -> None:
    """Hand the options to the tests; collected late, this file has no say in the options."""
    for name in _HELP:
        if asked := config.getoption(name, None):
            os.environ[_variable(name)] = str(asked)


def _variable(name: str) -> str:
    return f"TORTURE_{name.upper()}"


@pytest.fixture(scope="session")
def amount() -> dict[str, int]:
    """Return how much of everything is asked for."""
    return {name: int(os.environ.get(_variable(name), many)) for name, many in _DEFAULTS.items()}
