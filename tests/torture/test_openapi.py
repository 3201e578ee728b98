"""Whatever is asked of the API, it answers as its description says: schemathesis, in process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup

from eventstream.local.http_api import Answer, Request, Route
from fakes.api_worlds import WORLDS, World, a_whole_api
from fakes.conformance import CHECKS, FAILING_CHECKS, explore, operations
from fakes.whole_api import WholeApi, routes_of
from template.checks.reading import read_template, translate

DOCUMENT = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text("utf-8"))
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}


def _same(operation: dict[str, Any]) -> str:
    """Say what an operation has in common with those of the same message under other paths."""
    named = {"operationId", "summary"}
    return json.dumps({name: each for name, each in operation.items() if name not in named})


DISTINCT = {_same(operation): label for label, operation in reversed(OPERATIONS.items())}.values()
"""One of each kind; the paths of a client library's message differ in nothing but their names."""
ROUNDS = {"calm": 1.0, "failing": 0.5, "closed": 0.2}
"""How much is tried in each world, of what is asked for."""


@pytest.fixture(scope="module")
def routes() -> list[Route]:
    return routes_of(translate(read_template()))


@pytest.fixture
def world(name: str, routes: list[Route]) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        yield a_whole_api(name, routes, patch)


@pytest.mark.parametrize("name", WORLDS)
def test_every_answer_is_one_that_the_description_has(
    world: World, name: str, amount: dict[str, int]
) -> None:
    examples = max(1, round(amount["api_examples"] * ROUNDS[name]))
    checks = FAILING_CHECKS if name == "failing" else CHECKS
    found = operations(DOCUMENT, world.api)

    for label in DISTINCT:
        explore(found[label], GenerationMode.POSITIVE, examples, checks)
        if found[label].body or found[label].query:
            explore(found[label], GenerationMode.NEGATIVE, examples, checks)

    assert _seen(world) >= EXPECTED[name]


def test_each_path_of_a_message_is_answered_as_the_others(routes: list[Route]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        found = operations(DOCUMENT, a_whole_api("calm", routes, patch).api)

        for label in sorted(OPERATIONS.keys() - set(DISTINCT)):
            explore(found[label], GenerationMode.POSITIVE, 1, CHECKS)


def _seen(world: World) -> set[int]:
    return set().union(*world.api.statuses.values())


EXPECTED = {"calm": {200, 207, 400}, "failing": {200, 207, 400, 503}, "closed": {200, 400, 401}}
"""What is met at least, so that it is known that something was tried."""

DAMAGES: dict[str, Callable[[Answer], Answer]] = {
    "another-status": lambda given: Answer(418, given.headers, given.body),
    "a-server-error": lambda given: Answer(500, given.headers, b'{"message":"x"}'),
    "another-content-type": lambda given: Answer(given.status, {"content-type": "text/html"}),
    "a-member-that-is-missing": lambda given: _changed(given, lambda body: body.popitem()),
    "a-member-that-nobody-described": lambda given: _changed(given, lambda body: body.update(x=1)),
    "a-member-of-another-type": lambda given: _changed(
        given, lambda body: body.update(request_id=1)
    ),
    "no-json": lambda given: Answer(given.status, given.headers, b"{"),
}


def _changed(given: Answer, change: Callable[[dict[str, Any]], object]) -> Answer:
    body = json.loads(given.body)
    change(body)
    return Answer(given.status, given.headers, json.dumps(body).encode())


class _Damaged(WholeApi):
    damage: Callable[[Answer], Answer]

    def answer(self, request: Request) -> Answer:
        return self.damage(super().answer(request))


@pytest.mark.parametrize("label", ["POST /events", "GET /runs"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_broken_answer_is_noticed(
    label: str, damage: Callable[[Answer], Answer], routes: list[Route]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        whole = a_whole_api("calm", routes, patch).api
        broken = _Damaged(routes, whole._handlers)
        broken.damage = damage
        operation = operations(DOCUMENT, broken)[label]

        with pytest.raises(FailureGroup):
            explore(operation, GenerationMode.POSITIVE, 1, CHECKS)
