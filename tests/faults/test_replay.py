"""Replay under faults: nothing sent is lost, nothing is in the lake twice, no counter is over."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from eventstream.replay import job
from eventstream.replay.job import Pending, Replay
from faults.families import schedules
from faults.replay_simulation import ReplayVerdicts, run_replays
from faults.stepping import Runners

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


def tell(report_line: Callable[[str], None], name: str, of: ReplayVerdicts) -> None:
    report_line(
        f"{name:<58}{of.schedules:>9}{of.deliveries:>11}   over {of.over}, lost {of.lost}, "
        f"extra {of.extra}; {of.seen['replays']} replays, {of.seen['replayer killed']} killed"
    )


def test_every_event_is_in_the_lake_and_no_counter_is_over(
    runners: Runners, report_line: Callable[[str], None]
) -> None:
    verdicts = run_replays(schedules(150), runners)
    tell(report_line, "discard + replay + redelivery + killed replayer", verdicts)

    assert (verdicts.lost, verdicts.extra, verdicts.over) == (0, 0, 0)
    assert {name for name in _MUST_HAPPEN if not verdicts.seen[name]} == set()


def test_a_replay_without_its_flag_counts_twice(
    runners: Runners, report_line: Callable[[str], None]
) -> None:
    def unflagged(line: bytes) -> bytes:
        return json.dumps(json.loads(line) | {"replayed": False}).encode()

    verdicts = run_replays(schedules(60, at_most=1_000), runners, unflagged)
    tell(report_line, "CONTROL replay without the flag", verdicts)

    assert verdicts.over > 0.5 * verdicts.schedules
    assert (verdicts.lost, verdicts.extra) == (0, 0)


def test_a_replay_under_new_ids_doubles_the_lake(
    runners: Runners, report_line: Callable[[str], None]
) -> None:
    def renamed(line: bytes) -> bytes:
        event = json.loads(line)
        return json.dumps(event | {"event_id": f"new-{event['event_id']}"}).encode()

    verdicts = run_replays(schedules(60, at_most=1_000), runners, renamed)
    tell(report_line, "CONTROL replay under new ids", verdicts)

    assert verdicts.extra > 0.5 * verdicts.schedules


class MovesFirst(Replay):
    """Moves an object as soon as it is read, before the stream has acknowledged anything."""

    def end(self, pending: Pending) -> bool:
        if pending.whole:
            self._objects.settle(pending.key)
        return super().end(pending)


def test_moving_before_the_acknowledgement_loses_events(
    runners: Runners, report_line: Callable[[str], None]
) -> None:
    verdicts = run_replays(schedules(60, at_most=1_000), runners, make=MovesFirst)
    tell(report_line, "CONTROL moved before acknowledged", verdicts)

    assert verdicts.lost > 0.1 * verdicts.schedules
