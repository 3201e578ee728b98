"""What docs/api.md says of reading is what the function does."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from common.domain.sessions import Person, Session, SessionRules
from common.domain.timelines import Timeline
from common.domain.windows import to_ms
from common.errors import InvalidRequestError
from fakes.api_keys import open_access
from fakes.event_index import MemoryEventIndexReadings, an_entry
from fakes.reading_builders import NINE, alert, at, result, run, settled, type_entry
from fakes.readings import MemoryReadings
from fakes.sessions import MemorySessionReadings
from query import handler, metrics_query, params, service
from query.events import StoredEvents
from query.service import Deps
from query.sessions import StoredSessions

PAGE = (
    (Path(__file__).parents[3] / "docs" / "api.md")
    .read_text(encoding="utf-8")
    .partition("\n## Reading\n")[2]
)
EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
ROUTES = {
    line[0]: set(re.findall(r"`(\w+)`", line[1]))
    for line in re.findall(r"^\| `GET (/[\w/{}-]+)` \| (.*?) \|", PAGE, re.MULTILINE)
}


@pytest.fixture
def deps() -> Deps:
    readings = MemoryReadings()
    readings.add_state(settled(NINE))
    readings.add_result(result("*", NINE, 40))
    readings.add_type(type_entry("click"))
    readings.add_alert(alert("click", NINE))
    readings.add_run(run("2026-02-20T09:07:00.000Z"))
    at_ms = to_ms(at(14, 30))
    timeline = Timeline((Session(at_ms - 1, at_ms, 2),), {}, at_ms)
    sessions = MemorySessionReadings({Person("user", "ada"): timeline})
    return Deps(
        readings,
        now=lambda: at(14, 33),
        access=open_access(),
        sessions=StoredSessions(sessions, SessionRules.of(30, 7), timedelta(hours=174)),
        events=StoredEvents(MemoryEventIndexReadings([an_entry()]), 14),
    )


def shape(value: Any) -> Any:
    """Return the names of an answer, without its values."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    return [shape(each) for each in value[:1]] if isinstance(value, list) else None


def test_every_route_is_on_the_page_and_no_other() -> None:
    assert set(ROUTES) == set(handler.ROUTES)


@pytest.mark.parametrize("route", handler.ROUTES)
def test_the_parameters_of_a_route_are_those_on_the_page(route: str, deps: Deps) -> None:
    refused = params.ParamReader({"no_such": "x"}, tuple(sorted(ROUTES[route]))).errors[0].message
    with pytest.raises(InvalidRequestError) as caught:
        handler.ROUTES[route]({"no_such": "x"}, deps)

    def listed(message: str) -> set[str]:
        return set(message.partition("use ")[2].split(", "))

    assert listed(str(caught.value.errors[0].message)) == listed(refused)


@pytest.mark.parametrize("route", handler.ROUTES)
def test_an_example_has_the_shape_of_the_answer(route: str, deps: Deps) -> None:
    asked = {"/sessions": {"user_id": "ada"}, "/events/{event_id}": {"event_id": "e-1"}}
    query = asked.get(route, {})
    answered = {**handler.ROUTES[route](query, deps), "request_id": "r-1"}

    assert shape(answered) in [shape(example) for example in EXAMPLES]


def test_every_metric_granularity_and_limit_is_on_the_page() -> None:
    for name in (*metrics_query.METRICS, *metrics_query.WIDTHS):
        assert f"`{name}`" in PAGE
    assert f"{metrics_query.MAX_POINTS:,}" in PAGE
    assert f"{service.MAX_ROWS:,}" in PAGE
    assert f"{service.DEFAULT_ROWS} a page" in PAGE


BROKEN: list[tuple[str, dict[str, str]]] = [
    ("/health", {"x": "1"}),
    ("/metrics", {"metric": "x"}),
    ("/metrics", {"event_type": "#"}),
    ("/metrics", {"from": "x"}),
    ("/metrics", {"limit": "x"}),
    ("/metrics", {"from": "-1"}),
    ("/metrics", {"from": "1", "to": "1"}),
    ("/metrics", {"granularity": "5m", "metric": "unique_users"}),
    ("/metrics", {"granularity": "1d", "metric": "unique_users"}),
    ("/metrics", {"cursor": "x"}),
    ("/event-types", {"cursor": "x"}),
    ("/anomalies", {"cursor": "x"}),
    ("/anomalies", {"from": "1", "to": "1"}),
    ("/runs", {"cursor": "x"}),
    ("/sessions", {}),
    ("/sessions", {"user_id": ""}),
    ("/events/{event_id}", {"event_id": "x" * 129}),
]


def test_every_rule_is_on_the_page_and_no_other(deps: Deps) -> None:
    broken: set[str] = set()
    for route, query in BROKEN:
        with pytest.raises(InvalidRequestError) as caught:
            handler.ROUTES[route](query, deps)
        broken |= {each.rule for each in caught.value.errors}

    told = re.findall(r"^\| `(\w+)` \| ", PAGE.rpartition("| `rule` |")[2], re.MULTILINE)

    assert set(told) == broken
