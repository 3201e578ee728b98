from __future__ import annotations

from collections.abc import Iterator

import pytest

from fakes.event_api import EventApi
from fakes.event_server import serving
from functional.cli.running import Run, running


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return running(capsys)


@pytest.fixture
def api() -> EventApi:
    return EventApi()


@pytest.fixture
def url(api: EventApi) -> Iterator[str]:
    with serving(api) as address:
        yield address
