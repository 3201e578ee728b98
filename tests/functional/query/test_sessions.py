"""Sessions over HTTP and on the command line, over a store in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from common.domain.sessions import Person, Session, SessionRules
from common.domain.timelines import Timeline
from common.domain.windows import to_ms
from common.observability import metrics
from eventstream.commands import sessions as command
from fakes.api_keys import open_access
from fakes.query_server import serving
from fakes.reading_builders import at
from fakes.readings import MemoryReadings
from fakes.sessions import MemorySessionReadings
from functional.query import commands
from query import handler
from query.service import Deps
from query.sessions import StoredSessions

NOW = at(14, 33)
NOW_MS = to_ms(NOW)
MINUTE_MS = 60_000
ADA, ANON = Person("user", "ada"), Person("anonymous", "ada")
Call = Callable[..., Any]


def a_timeline(*sessions: Session, overflow: int = 0) -> Timeline:
    ordered = tuple(sorted(sessions, key=lambda s: (s.start_ms, s.client_id or "")))
    return Timeline(ordered, {}, NOW_MS, overflow, 1)


def a_session(minutes_ago: float, minutes: float = 5, client_id: str | None = None) -> Session:
    end_ms = NOW_MS - round(minutes_ago * MINUTE_MS)
    return Session(end_ms - round(minutes * MINUTE_MS), end_ms, 3, client_id)


@dataclass
class World:
    timelines: dict[Person, Timeline]
    settles: timedelta = timedelta(hours=174)
    is_on: bool = True

    def deps(self) -> Deps:
        readings = MemorySessionReadings(self.timelines)
        stored = StoredSessions(readings, SessionRules.of(30, 7), self.settles)
        deps = Deps(MemoryReadings(), now=lambda: NOW, access=open_access(), sessions=stored)
        return deps if self.is_on else replace(deps, sessions=None)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World({})
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
    assert raw["statusCode"] == status
    return json.loads(raw["body"])


def test_a_persons_sessions_are_told_newest_first(world: World) -> None:
    old, now = a_session(300), a_session(2, 10)
    world.timelines = {ADA: a_timeline(old, now), ANON: a_timeline(a_session(5, 0, "s1"))}

    body = get("/sessions", user_id="ada")

    assert [row["session_id"] for row in body["sessions"]] == [now.id_of(ADA), old.id_of(ADA)]
    assert body["sessions"][0] == {
        "session_id": f"{ADA.key}-{now.start_ms}",
        "source": "computed",
        "user_id": "ada",
        "anonymous_id": None,
        "start": "2026-02-20T14:21:00.000Z",
        "end": "2026-02-20T14:31:00.000Z",
        "duration_ms": 600_000,
        "events": 3,
        "is_active": True,
        "status": "provisional",
    }
    assert body["next_cursor"] is None
    assert "hint" not in body


def test_an_anonymous_id_is_another_person_than_the_user_of_that_name(world: World) -> None:
    world.timelines = {ADA: a_timeline(a_session(9)), ANON: a_timeline(a_session(5, 0, "s1"))}

    [row] = get("/sessions", anonymous_id="ada")["sessions"]

    assert (row["session_id"], row["source"]) == ("s1", "client")
    assert (row["user_id"], row["anonymous_id"]) == (None, "ada")


def test_pages_of_a_persons_sessions_are_the_whole(world: World) -> None:
    clients = [a_session(60, 1, f"s{number}") for number in range(3)]
    world.timelines = {ADA: a_timeline(*clients, *(a_session(100 * n) for n in range(1, 8)))}

    found, cursor = [], {}
    while True:
        body = get("/sessions", user_id="ada", limit="3", **cursor)
        found += body["sessions"]
        if body["next_cursor"] is None:
            break
        assert len(body["sessions"]) == 3
        cursor = {"cursor": body["next_cursor"]}

    assert found == get("/sessions", user_id="ada")["sessions"]
    assert len(found) == 10


def test_the_id_of_a_computed_session_names_its_person(world: World) -> None:
    one, other = a_session(20), a_session(300)
    world.timelines = {ADA: a_timeline(one, other)}

    [row] = get("/sessions", session_id=other.id_of(ADA))["sessions"]

    assert row["session_id"] == other.id_of(ADA)
    assert row["user_id"] == "ada"


def test_an_id_that_earlier_events_have_changed_finds_the_session_it_is_in(world: World) -> None:
    before = a_session(20, 5)
    world.timelines = {ADA: a_timeline(a_session(20, 50))}

    [row] = get("/sessions", session_id=before.id_of(ADA))["sessions"]

    assert row["session_id"] != before.id_of(ADA)
    assert row["duration_ms"] == 50 * MINUTE_MS


def test_a_clients_id_is_found_with_its_person(world: World) -> None:
    world.timelines = {ADA: a_timeline(a_session(20, 5, "s1"), a_session(20, 5, "s2"))}

    [row] = get("/sessions", user_id="ada", session_id="s2")["sessions"]

    assert row["session_id"] == "s2"


def test_a_session_past_its_retention_is_not_told(world: World) -> None:
    week = 7 * 24 * 60
    world.timelines = {ADA: a_timeline(a_session(week), a_session(week + 0.001, 5, "old"))}

    assert [row["source"] for row in get("/sessions", user_id="ada")["sessions"]] == ["computed"]


def test_a_session_is_final_once_no_event_can_join_it(world: World) -> None:
    world.settles = timedelta(hours=7)
    late = 7 * 60 + 30
    world.timelines = {
        ADA: a_timeline(a_session(late), a_session(late + 0.001, 5), a_session(late + 90, 5, "s1"))
    }

    rows = get("/sessions", user_id="ada")["sessions"]

    by_source = {(row["source"], row["start"]): row["status"] for row in rows}
    assert sorted(by_source.values()) == ["final", "provisional", "provisional"]
    assert {row["status"] for row in rows if row["source"] == "client"} == {"provisional"}


def test_dropped_sessions_are_told(world: World) -> None:
    world.timelines = {ADA: a_timeline(a_session(1), overflow=12)}

    assert get("/sessions", user_id="ada")["dropped"] == 12


def test_nobody_has_no_sessions_and_a_hint_says_what_that_means(world: World) -> None:
    body = get("/sessions", user_id="eve")

    assert body["sessions"] == []
    assert "letter by letter" in body["hint"]


def test_sessions_that_are_off_say_so(world: World) -> None:
    world.is_on = False

    assert "sessions are off" in get("/sessions", user_id="ada")["hint"]
    assert "sessions are off" in get("/sessions/active")["hint"]


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        ({}, "one_person"),
        ({"session_id": "s1"}, "one_person"),
        ({"user_id": "a", "anonymous_id": "a"}, "one_person"),
        ({"user_id": ""}, "bad_format"),
        ({"user_id": "x" * 257}, "bad_format"),
        ({"user_id": "a\n"}, "bad_format"),
        ({"user_id": "a", "limit": "0"}, "out_of_range"),
        ({"user_id": "a", "cursor": "x"}, "bad_cursor"),
        ({"user": "a"}, "unknown_parameter"),
    ],
)
def test_a_question_that_means_nobody_is_refused(
    query: dict[str, str], rule: str, world: World
) -> None:
    errors = get("/sessions", 400, **query)["errors"]

    assert rule in [error["rule"] for error in errors]


def test_the_active_are_those_whose_last_event_is_within_the_gap(world: World) -> None:
    within = {
        "now": a_session(0),
        "edge": a_session(30),
        "ahead": a_session(-29),
    }
    outside = {"over": a_session(30.001), "far ahead": a_session(-31)}
    world.timelines = {
        Person("user", name): a_timeline(session) for name, session in (within | outside).items()
    }

    rows = get("/sessions/active")["sessions"]

    assert {row["user_id"] for row in rows} == set(within)
    assert all(row["is_active"] for row in rows)


def test_of_an_active_person_only_the_active_sessions_are_told(world: World) -> None:
    sessions = [a_session(1), a_session(2, 9, "tab 2"), a_session(200)]
    world.timelines = {ADA: a_timeline(*sessions)}

    assert len(get("/sessions/active")["sessions"]) == 2


@pytest.mark.parametrize("limit", ["1", "4", "7", "99"])
def test_pages_of_the_active_hold_everybody_once(world: World, limit: str) -> None:
    world.timelines = {
        Person("user", f"u{number}"): a_timeline(a_session(number / 2)) for number in range(59)
    }

    found, query = [], {"limit": limit}
    while True:
        body = get("/sessions/active", **query)
        found += [row["user_id"] for row in body["sessions"]]
        if body["next_cursor"] is None:
            break
        query["cursor"] = body["next_cursor"]

    assert len(found) == 59
    assert set(found) == {f"u{number}" for number in range(59)}


def test_an_old_cursor_of_the_active_is_an_end_and_no_error(world: World) -> None:
    world.timelines = {ADA: a_timeline(a_session(1))}
    from query import cursor

    old = cursor.encode(str(NOW_MS - 3_600_000), "3", "0" * 32)

    assert get("/sessions/active", cursor=old)["sessions"] == []


def test_health_tells_of_the_table(world: World) -> None:
    assert get("/health")["checks"]["sessions_table"] == "ok"

    world.is_on = False

    assert "sessions_table" not in get("/health")["checks"]


@pytest.fixture
def run_command(world: World, capsys: pytest.CaptureFixture[str]) -> Iterator[commands.Run]:
    run = commands.running(command.register, capsys)
    with serving() as url:
        yield lambda *arguments: run(*arguments, "--url", url)
    metrics.clear_metrics()


def test_the_command_lists_a_persons_sessions(world: World, run_command: commands.Run) -> None:
    world.timelines = {ADA: a_timeline(a_session(1), a_session(200), overflow=1_500)}

    shown = run_command("sessions", "--user", "ada")

    assert shown.code == 0
    assert "2026-02-20 14:27:00" in shown.out
    assert "active" in shown.out
    assert "provisional" in shown.out
    assert "1,500 older sessions" in shown.err


def test_the_command_without_an_id_lists_the_active(
    world: World, run_command: commands.Run
) -> None:
    world.timelines = {ADA: a_timeline(a_session(1)), ANON: a_timeline(a_session(2))}

    for arguments in ((), ("--active",)):
        body = run_command("sessions", *arguments, "--json").json

        assert len(body["sessions"]) == 2
        assert "as_of" in body


def test_the_command_says_that_nobody_is_there(world: World, run_command: commands.Run) -> None:
    assert "nobody is in a session" in run_command("sessions").err
    assert "letter by letter" in run_command("sessions", "--anonymous", "eve").err


def test_the_command_refuses_two_questions_at_once(world: World, run_command: commands.Run) -> None:
    assert run_command("sessions", "--active", "--user", "ada").code == 2


@pytest.mark.parametrize(
    "arguments", [("--session", "s1"), ("--user", "ada", "--anonymous", "ada", "--session", "s1")]
)
def test_the_command_asks_for_a_person_by_its_own_options(
    run_command: commands.Run, arguments: tuple[str, ...]
) -> None:
    shown = run_command("sessions", *arguments)

    assert shown.code == 2
    assert "--user or --anonymous" in shown.err
    assert "user_id" not in shown.err


def test_the_command_needs_no_person_for_the_id_of_a_computed_session(
    world: World, run_command: commands.Run
) -> None:
    world.timelines = {ADA: a_timeline(a_session(1))}
    [known] = run_command("sessions", "--user", "ada", "--json").json["sessions"]

    [found] = run_command("sessions", "--session", known["session_id"], "--json").json["sessions"]

    assert found == known
