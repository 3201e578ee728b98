from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eventstream.local import mapping_poller
from functional.poller.laptop import Handler, Lane

MakeLane = Callable[..., Lane]


@pytest.fixture
def lane(monkeypatch: pytest.MonkeyPatch) -> MakeLane:
    """Make a lane from a function and the properties of its mapping."""

    def make(handler: Handler, **properties: Any) -> Lane:
        return Lane(monkeypatch, handler, **properties)

    return make


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping_poller, "DISCOVERY_S", 0.05)
