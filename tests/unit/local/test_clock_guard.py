"""A wall clock that goes back holds up what would be put on a stream."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from eventstream.local import doctor
from eventstream.local.clock_guard import ClockGuard
from eventstream.local.http_api import Answer, HttpApi, Request, Route
from eventstream.local.http_front import HttpFront, Served
from eventstream.local.reshard_guard import ReshardGuard
from eventstream.local.state import StateFolder
from unit.local.streams import Clock


@dataclass
class Clocks:
    """A machine's two clocks."""

    wall: Clock
    monotonic: Clock

    def pass_s(self, seconds: float) -> None:
        self.wall.now_s += seconds
        self.monotonic.now_s += seconds

    def step_s(self, seconds: float) -> None:
        self.wall.now_s += seconds


@pytest.fixture
def clocks() -> Clocks:
    return Clocks(Clock(1_000_000.0), Clock(50.0))


@pytest.fixture
def guard(clocks: Clocks, tmp_path: Path) -> ClockGuard:
    made = ClockGuard(tmp_path / "clock", clocks.wall, clocks.monotonic)
    assert made.look() == 0
    return made


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What the guard says in the log."""
    found: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("eventstream.local.clock_guard")
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)


def test_a_clock_that_runs_or_jumps_forward_holds_up_nothing(
    guard: ClockGuard, clocks: Clocks
) -> None:
    clocks.pass_s(3600)
    assert guard.look() == 0

    clocks.step_s(5)
    assert guard.look() == 0

    clocks.step_s(-0.04)
    assert guard.look() == 0


def test_after_a_step_back_nothing_is_put_until_the_latest_time_has_passed(
    guard: ClockGuard, clocks: Clocks, lines: list[str]
) -> None:
    clocks.step_s(-2)

    assert guard.look() == 2
    clocks.pass_s(1.9)
    assert guard.look() == 1
    clocks.pass_s(0.2)
    assert guard.look() == 0
    assert ["went back by 2.0 s" in lines[0], "has caught up" in lines[1]] == [True, True]
    assert len(lines) == 2


def test_a_step_back_that_the_time_since_the_last_look_would_hide_is_noticed(
    guard: ClockGuard, clocks: Clocks
) -> None:
    clocks.pass_s(60)
    clocks.step_s(-30)  # 30 s later than at the last look, and yet 30 s behind

    assert guard.look() == 30


def test_small_steps_add_up(guard: ClockGuard, clocks: Clocks) -> None:
    clocks.step_s(-0.03)
    assert guard.look() == 0
    clocks.step_s(-0.03)

    assert guard.look() == 1


def test_a_second_step_back_makes_the_wait_longer_and_is_not_told_again(
    guard: ClockGuard, clocks: Clocks, lines: list[str]
) -> None:
    clocks.step_s(-2)
    guard.look()
    clocks.step_s(-10)

    assert guard.look() == 12
    assert len(lines) == 1


def test_a_process_that_was_asleep_between_two_readings_is_no_step(
    guard: ClockGuard, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow_wall() -> float:
        clocks.pass_s(9)
        return clocks.wall.now_s

    monkeypatch.setattr(guard, "_wall_s", slow_wall)
    assert guard.look() == 0
    monkeypatch.undo()
    assert guard.look() == 0


def test_a_clock_put_back_while_nothing_ran_is_noticed_at_the_next_start(
    guard: ClockGuard, clocks: Clocks, tmp_path: Path
) -> None:
    clocks.pass_s(100)
    guard.look()
    guard.save()
    clocks.step_s(-100)

    assert ClockGuard(tmp_path / "clock", clocks.wall, clocks.monotonic).look() == 100


def test_the_doctor_tells_of_a_clock_that_is_behind(tmp_path: Path, clocks: Clocks) -> None:
    state = StateFolder(tmp_path)
    assert doctor._clock(state).verdict == "ok"

    ahead = Clock(datetime.now(UTC).timestamp() + 500)
    guard = ClockGuard(state.clock_file, ahead, clocks.monotonic)
    guard.look()
    guard.save()

    assert doctor._clock(state).verdict == "problem"


class Front(HttpFront):
    """A front whose function answers 200, after what happens meanwhile."""

    def __init__(self, clock: ClockGuard, meanwhile: Callable[[], None] = lambda: None) -> None:
        api = HttpApi("api", (Route("POST /events", "f"), Route("GET /metrics", "f")))
        client: Any = None
        shards = ReshardGuard(lambda _stream, _since_s: True)
        super().__init__(client, "", api, "us-east-1", clock, shards=shards)
        self.calls = 0
        self._meanwhile = meanwhile

    async def _call(self, route: Route, event: bytes) -> Answer:
        self.calls += 1
        self._meanwhile()
        return Answer(200)

    def request(self, method: str, path: str) -> Served:
        at = datetime(2026, 11, 20, 9, tzinfo=UTC)
        request = Request(method, path, "", [], b"", "127.0.0.1", "request-1", at)
        return asyncio.run(self.serve(request))


def test_a_post_gets_503_and_retry_after_while_the_clock_is_behind_and_a_get_its_answer(
    guard: ClockGuard, clocks: Clocks
) -> None:
    front = Front(guard)
    assert front.request("POST", "/events").answer.status == 200
    clocks.step_s(-7)

    held_up = front.request("POST", "/events").answer

    assert (held_up.status, held_up.headers["retry-after"]) == (503, "7")
    assert front.calls == 1
    assert front.request("GET", "/metrics").answer.status == 200
    clocks.pass_s(7)
    assert front.request("POST", "/events").answer.status == 200


def test_a_post_during_which_the_clock_goes_back_is_not_accepted(
    guard: ClockGuard, clocks: Clocks
) -> None:
    front = Front(guard, meanwhile=lambda: clocks.step_s(-1))

    assert front.request("POST", "/events").answer.status == 503
