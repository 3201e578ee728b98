"""Replay under faults: nothing sent is lost, nothing is in the lake twice, no counter is over."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from eventstream.replay import job
from eventstream.replay.job import Pending, Replay
from faults.families import schedules
from faults.replay_simulation import Change, ReplayVerdicts, run_replays
from faults.stepping import Runners
from faults.summary import Figures

_MUST_HAPPEN = {
    "given up",
    "replays",
    "replayed before",
    "replayer killed",
    "record refused",
    "unacknowledged",
    "put, and killed",
    "put, and the answer lost",
    "killed before copy",
    "killed after copy",
    "killed before delete",
    "killed after keep",
    "regressed",
    "out of order",
    "bisected",
}


@pytest.fixture(autouse=True)
def _one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let objects move in an order that the schedule decides."""

    def in_turn(call: Callable[[Any], None], items: Sequence[Any]) -> None:
        for item in items:
            call(item)

    monkeypatch.setattr(job, "in_parallel", in_turn)


def _note(of: ReplayVerdicts) -> str:
    return (
        f"{of.deliveries:,} deliveries, {of.seen['replays']:,} replays, "
        f"{of.seen['replayer killed']:,} killed"
    )


def _control(
    runners: Runners, change: Change = lambda line: line, make: type[Replay] = Replay
) -> ReplayVerdicts:
    return run_replays(schedules(60, at_most=1_000), runners, change, make)


def test_every_event_is_in_the_lake_and_no_counter_is_over(
    runners: Runners, figures: Figures
) -> None:
    found = run_replays(schedules(150), runners)
    wrong = found.lost + found.extra + found.over
    figures.family("replay: given up, killed anywhere", found.schedules, wrong, _note(found))

    assert (found.lost, found.extra, found.over) == (0, 0, 0)
    assert {name for name in _MUST_HAPPEN if not found.seen[name]} == set()


def test_a_replay_without_its_flag_counts_twice(runners: Runners, figures: Figures) -> None:
    def unflagged(line: bytes) -> bytes:
        return json.dumps(json.loads(line) | {"replayed": False}).encode()

    found = _control(runners, unflagged)

    assert (found.lost, found.extra) == (0, 0)
    figures.control("replay without the flag", found.over, found.schedules, more_than=0.5)


def test_a_replay_under_new_ids_doubles_the_lake(runners: Runners, figures: Figures) -> None:
    def renamed(line: bytes) -> bytes:
        event = json.loads(line)
        return json.dumps(event | {"event_id": f"new-{event['event_id']}"}).encode()

    found = _control(runners, renamed)

    figures.control("replay under new ids", found.extra, found.schedules, more_than=0.5)


class MovesFirst(Replay):
    """Moves an object as soon as it is read, before the stream has acknowledged anything."""

    def end(self, pending: Pending) -> bool:
        if pending.whole:
            self._objects.settle(pending.key)
        return super().end(pending)


def test_moving_before_the_acknowledgement_loses_events(runners: Runners, figures: Figures) -> None:
    found = _control(runners, make=MovesFirst)

    figures.control("replay, moved before acknowledged", found.lost, found.schedules, more_than=0.1)
