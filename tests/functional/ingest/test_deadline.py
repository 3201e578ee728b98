"""No request outlives the function, nor the 30 seconds that the API waits for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from common.observability import metrics
from fakes.clients import CLIENTS, Client
from fakes.ingest_builders import LambdaContext, a_gateway_event, a_world
from fakes.stream import Fault, Hourglass, MemorySink
from ingest import handler
from template.checks.reading import read_template

CALL_S = 3.0
"""One connection and one answer, both as slow as the client's time limits let them be."""


def slowly(time: Hourglass, fault: Fault | None, seconds: float) -> Iterator[Fault | None]:
    while True:
        time.now_s += seconds
        yield fault


class LateDoor:
    """Takes its time to find a key, as a table that answers slowly does."""

    def __init__(self, time: Hourglass, seconds: float) -> None:
        self._time, self._seconds = time, seconds

    def source(self, *_: Any, **__: Any) -> str:
        self._time.now_s += self._seconds
        return "public"


@cache
def timeout_s() -> int:
    seconds: int = read_template()["Resources"]["IngestFunction"]["Properties"]["Timeout"]
    return seconds


def test_the_function_is_stopped_before_the_api_gives_up() -> None:
    assert timeout_s() < 30


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
@pytest.mark.parametrize("fault", [Fault(whole="throttled"), Fault(entries={0: "store_failed"})])
@pytest.mark.parametrize("before_s", [0, 1.5, 4, 6, 6.6, 9, 9.9])
def test_every_request_is_answered_in_time_however_slow_the_stream_is(
    client: Client, fault: Fault, before_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Hourglass()
    sink = MemorySink(slowly(time, fault, CALL_S))
    deps = a_world(sink, time, access=LateDoor(time, before_s))
    monkeypatch.setattr(handler, "deps", lambda: deps)
    monkeypatch.setattr(metrics, "namespace", "EventStream")
    request = client("1")
    event = a_gateway_event(request.body, request.path, headers=dict(request.headers))

    answer = handler.lambda_handler(event, LambdaContext(remaining_s=timeout_s()))

    assert answer["statusCode"] == 503
    assert 1 <= int(answer["headers"]["retry-after"]) <= 5
    assert time.now_s < timeout_s()


def test_a_function_that_has_time_left_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Hourglass()
    sink = MemorySink([Fault(whole="throttled"), None])
    deps = a_world(sink, time, access=LateDoor(time, 6))
    monkeypatch.setattr(handler, "deps", lambda: deps)
    monkeypatch.setattr(metrics, "namespace", "EventStream")

    event = a_gateway_event(json.dumps({"event_type": "x"}))
    answer = handler.lambda_handler(event, LambdaContext(remaining_s=timeout_s()))

    assert answer["statusCode"] == 200
    assert len(sink.calls) == 2
