from __future__ import annotations

import pytest

from common.observability import metrics
from fakes.ingest_client import Post, posting_to
from fakes.stream import MemorySink


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def post(sink: MemorySink, monkeypatch: pytest.MonkeyPatch) -> Post:
    monkeypatch.setattr(metrics, "namespace", "EventStream")
    return posting_to(sink, monkeypatch)
