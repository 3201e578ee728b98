"""The built functions, each answering a sample event under Lambda's own emulator."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from artifacts.support.built import Built
from artifacts.support.emulated import EmulatedFunction, emulated
from artifacts.support.world import World
from template.checks.functions import values_of
from template.checks.parameters import default_of
from template.checks.reading import ROOT, Template

pytestmark = [
    pytest.mark.artifacts,
    # The local emulator is meant to outlive the object that started it.
    pytest.mark.filterwarnings(r"ignore:subprocess \d+ is still running:ResourceWarning"),
]

Start = Callable[[str], AbstractContextManager[EmulatedFunction]]


@pytest.fixture
def start(built: Built, translated: Template, world: World, tmp_path: Path) -> Start:
    defaults = {name: default_of(p) for name, p in translated["Parameters"].items()}

    def start(name: str) -> AbstractContextManager[EmulatedFunction]:
        variables = values_of(translated, name, defaults | world.resources) | world.variables
        properties = translated["Resources"][name]["Properties"]
        return emulated(built, name, properties, variables, tmp_path)

    return start


def sample(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / name).read_text(encoding="utf-8"))
    return event


def test_ingest_puts_an_event_on_the_stream(start: Start, world: World) -> None:
    post = sample("http-post-event.json")
    post["body"] = json.dumps({"event_type": "purchase", "event_id": "sample-1"})

    with start("IngestFunction") as ingest:
        answer = ingest.invoke(post)

    assert answer["statusCode"] == 200, answer
    assert json.loads(answer["body"])["event_id"] == "sample-1"
    [line] = world.lines()
    assert json.loads(line)["event_id"] == "sample-1"


def test_ingest_refuses_what_is_no_event(start: Start) -> None:
    with start("IngestFunction") as ingest:
        answer = ingest.invoke(sample("http-post-invalid.json"))

    assert answer["statusCode"] == 400
    assert "colour" in answer["body"]


def test_process_aggregate_and_query_carry_a_batch_to_an_answer(start: Start, world: World) -> None:
    with start("ProcessFunction") as process:
        assert process.invoke(sample("kinesis-batch.json")) == {"batchItemFailures": []}
    assert world.objects("events/year=2026/month=02/day=20/hour=13/")
    assert world.items("HotTable")

    with start("AggregateFunction") as aggregate:
        counted = aggregate.invoke(sample("aggregate-window.json"))
    assert counted["window_start"] == "2026-02-20T13:00:00.000Z"
    assert counted["events"] == 1

    asked = sample("query-metrics.json")
    asked["queryStringParameters"] |= {"event_type": "error", "to": "2026-02-20T14:00:00Z"}
    with start("QueryFunction") as query:
        answer = query.invoke(asked)
    assert answer["statusCode"] == 200, answer
    assert '"value":1' in answer["body"].replace(" ", "")


def test_a_failure_has_the_name_that_the_workflow_retries_by(start: Start) -> None:
    with start("AggregateFunction") as aggregate:
        answer = aggregate.invoke({"action": "unheard of"})

    assert answer["errorType"] == "InvalidRequestError"


def test_a_build_that_was_run_is_unchanged(built: Built, start: Start) -> None:
    before = sorted(built.folder.rglob("*"))

    with start("QueryFunction") as query:
        query.invoke(sample("query-health.json"))

    assert sorted(built.folder.rglob("*")) == before
