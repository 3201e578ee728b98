"""What became of an event, over HTTP and on the command line, over an index in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from common.domain.event_index import Copy, IndexEntry
from common.domain.packing import packed
from common.observability import metrics
from common.ports.aggregates import HourProgress
from eventstream.commands import event as command
from fakes.api_keys import open_access
from fakes.event_index import MemoryEventIndexReadings, a_rejected_entry, an_entry
from fakes.query_server import serving
from fakes.reading_builders import NINE, at, settled, untouched
from fakes.readings import MemoryReadings
from functional.query import commands
from query import handler
from query.events import StoredEvents
from query.service import Deps

Call = Callable[..., Any]
POSITION = {"stream": "events", "shard": "shardId-000000000000", "sequence": "42", "line": 0}


@dataclass
class World:
    entries: list[IndexEntry] = field(default_factory=list)
    readings: MemoryReadings = field(default_factory=MemoryReadings)
    is_on: bool = True

    def deps(self) -> Deps:
        stored = StoredEvents(MemoryEventIndexReadings(self.entries), 14)
        deps = Deps(self.readings, now=lambda: at(14, 33), access=open_access(), events=stored)
        return deps if self.is_on else replace(deps, events=None)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(metrics, "namespace", "EventStream")
    monkeypatch.setattr(handler, "deps", made.deps)
    return made


class Context:
    function_name = "query"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-central-1:000000000000:function:query"
    aws_request_id = "r-0"


def get(path: str, status: int = 200, **query: str) -> Any:
    event = {
        "rawPath": path,
        "headers": {},
        "requestContext": {"http": {"method": "GET", "path": path}, "requestId": "r-1"},
        "queryStringParameters": query,
    }
    raw = handler.lambda_handler(event, Context())  # type: ignore[arg-type]
    assert raw["statusCode"] == status, raw["body"]
    return json.loads(raw["body"])


def test_a_stored_event_tells_where_it_is_and_where_it_counts(world: World) -> None:
    world.entries = [an_entry("order/1")]
    world.readings.add_state(untouched(NINE))

    body = get("/events/order/1")
    [found] = body["events"]

    line = found.pop("event")
    assert (line["event_id"], line["properties"]) == ("order/1", {"total": 12.5})
    assert (body["event_id"], body["request_id"]) == ("order/1", "r-1")
    assert found == {
        "source": "public",
        "state": "stored",
        "event_type": "click",
        "timestamp": "2026-02-20T09:30:00.123Z",
        "received_at": "2026-02-20T09:30:00.123Z",
        "arrived_at": "2026-02-20T09:30:00.163Z",
        "position": POSITION,
        "lake_object": (
            "events/year=2026/month=02/day=20/hour=09/events-shardId-000000000000-41-43.parquet"
        ),
        "hour": {
            "start": "2026-02-20T09:00:00.000Z",
            "end": "2026-02-20T10:00:00.000Z",
            "status": "provisional",
        },
        "quarantine": None,
        "replayed": None,
    }


@pytest.mark.parametrize(
    "progress",
    [
        pytest.param(None, id="unknown hour"),
        pytest.param(HourProgress(NINE, status="provisional"), id="aggregated, never marked"),
    ],
)
def test_an_event_is_only_claimed_while_nothing_of_its_hour_is_written(
    world: World, progress: HourProgress | None
) -> None:
    world.entries = [an_entry()]
    if progress:
        world.readings.add_state(progress)

    body = get("/events/e-1")

    [found] = body["events"]
    assert found["state"] == "claimed"
    assert found["hour"]["status"] == "provisional"
    assert "eventstream failures list" in body["hint"]


def test_a_marked_hour_does_not_prove_an_event_and_the_answer_says_so(world: World) -> None:
    world.entries = [an_entry()]
    world.readings.add_state(settled(NINE))

    body = get("/events/e-1")

    assert body["events"][0]["state"] == "stored"
    assert "if the lake has no row of it" in body["hint"]


def test_what_is_in_quarantine_is_there_and_needs_no_hint(world: World) -> None:
    world.entries = [a_rejected_entry()]

    assert get("/events/e-2")["hint"] is None


def test_the_instants_of_the_event_have_milliseconds_as_all_others(world: World) -> None:
    line = {
        "timestamp": "2026-02-20T09:30:00.123000Z",
        "sent_at": "2026-02-20T10:30:00.500000+01:00",
        "received_at": "in spring",
        "ingested_at": 7,
        "properties": {"timestamp": "2026-02-20T09:30:00.123456Z"},
    }
    world.entries = [an_entry(packed=packed(json.dumps(line).encode()))]

    assert get("/events/e-1")["events"][0]["event"] == line | {
        "timestamp": "2026-02-20T09:30:00.123Z",
        "sent_at": "2026-02-20T09:30:00.500Z",
    }


@pytest.mark.parametrize(
    ("progress", "status"),
    [
        pytest.param(settled(NINE), "final", id="final"),
        pytest.param(replace(settled(NINE), generation=99), "provisional", id="late events"),
        pytest.param(HourProgress(NINE, 1, 1, "provisional"), "provisional", id="not final"),
    ],
)
def test_an_hour_is_final_once_its_results_have_everything(
    world: World, progress: HourProgress, status: str
) -> None:
    world.entries = [an_entry()]
    world.readings.add_state(progress)

    assert get("/events/e-1")["events"][0]["hour"]["status"] == status


@pytest.mark.parametrize(
    ("raw", "message"), [('{"a":1}', {"a": 1}), ("{cut", "{cut"), (None, None)]
)
def test_a_rejected_message_tells_why_it_lies_in_quarantine(
    world: World, raw: str | None, message: object
) -> None:
    world.entries = [a_rejected_entry("e-2", raw)]

    [found] = get("/events/e-2")["events"]

    assert found["quarantine"] == {
        "object": "quarantine/events/shardId-000000000000/42-0.json",
        "reason": "missing",
        "field": "event",
    }
    assert (found["state"], found["hour"], found["lake_object"]) == ("quarantined", None, None)
    assert found["event"] == message


def test_a_replayed_event_tells_both_lines(world: World) -> None:
    world.entries = [an_entry(again=Copy("events/shardId-000000000001/7/2", "events/x.parquet"))]

    [found] = get("/events/e-1")["events"]

    assert found["replayed"] == {
        "position": POSITION | {"shard": "shardId-000000000001", "sequence": "7", "line": 2},
        "lake_object": "events/x.parquet",
    }


def test_every_source_that_sent_an_id_is_told_unless_one_is_asked_for(world: World) -> None:
    world.entries = [an_entry(), an_entry(source="web", packed=None)]

    assert [each["source"] for each in get("/events/e-1")["events"]] == ["public", "web"]
    [found] = get("/events/e-1", source="web")["events"]
    assert (found["source"], found["event"]) == ("web", None)


def test_an_event_that_is_not_known_is_a_404_that_says_what_it_means(world: World) -> None:
    body = get("/events/nobody", 404)

    assert body["code"] == "event_not_seen"
    for word in ("14 days", "still on its way", "replayed", "never accepted"):
        assert word in body["message"]
    assert "of this source" in get("/events/nobody", 404, source="web")["message"]


def test_without_an_index_the_answer_says_so(world: World) -> None:
    world.is_on = False

    body = get("/events/e-1", 404)

    assert body["code"] == "event_index_off"
    assert "EventIndex" in body["message"]


@pytest.mark.parametrize(
    ("path", "query", "rule"),
    [
        ("/events/" + "x" * 129, {}, "too_long"),
        ("/events/a\x00", {}, "bad_format"),
        ("/events/e-1", {"source": ""}, "bad_format"),
        ("/events/e-1", {"limit": "1"}, "unknown_parameter"),
    ],
)
def test_a_question_that_breaks_a_rule_is_refused(
    world: World, path: str, query: dict[str, str], rule: str
) -> None:
    assert [each["rule"] for each in get(path, 400, **query)["errors"]] == [rule]


def test_the_id_is_the_paths_and_not_a_parameters(world: World) -> None:
    world.entries = [an_entry("e-1"), an_entry("e-2")]

    assert get("/events/e-1", event_id="e-2")["event_id"] == "e-1"


def test_health_tells_whether_the_index_answers(world: World) -> None:
    assert get("/health")["checks"]["event_index_table"] == "ok"
    world.is_on = False
    assert "event_index_table" not in get("/health")["checks"]


@pytest.fixture
def run(world: World, capsys: pytest.CaptureFixture[str]) -> Iterator[Call]:
    run = commands.running(command.register, capsys)
    with serving() as url:
        yield lambda *arguments: run("event", *arguments, "--url", url)


def test_the_command_tells_what_the_api_tells(world: World, run: Call) -> None:
    world.entries = [an_entry("e/1 ?", again=Copy("events/s/7/2", "events/x.parquet"))]

    shown, told = run("e/1 ?"), run("e/1 ?", "--json")

    assert (shown.code, told.code) == (0, 0)
    for word in ("click", "2026-02-20T09:00:00.000Z, provisional", "41-43.parquet", "s 7 line 2"):
        assert word in shown.out
    assert "provisional" in shown.err
    assert "eventstream failures list" in shown.err
    assert told.json["event_id"] == "e/1 ?"


def test_the_command_tells_why_a_message_was_rejected(world: World, run: Call) -> None:
    world.entries = [a_rejected_entry()]

    shown = run("e-2")

    assert "missing of event" in shown.out
    assert "quarantine/events" in shown.out


def test_the_command_fails_for_an_event_that_is_not_known(world: World, run: Call) -> None:
    failed = run("nobody")

    assert failed.code == 1
    assert "still on its way" in failed.err
