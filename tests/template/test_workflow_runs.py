"""The definition in a real interpreter: every path that it has is walked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from aggregate.requests import MAX_RANGE_HOURS
from template.checks.interpreter import Outcome, StubError, execute

Execute = Callable[..., Outcome]

STATE_LIMIT_BYTES = 262_144
"""What Step Functions passes from state to state."""


class Aggregate:
    """A stand-in for the aggregate function that remembers what it was asked."""

    def __init__(
        self, *, hours: int = 2, anomalous: int | None = None, pending: int = 0, **fails: list[str]
    ) -> None:
        self.hours, self.anomalous, self.pending = hours, anomalous, pending
        self.fails = fails
        self.asked: list[dict[str, Any]] = []

    def __call__(self, payload: dict[str, Any]) -> object:
        self.asked.append(payload)
        if left := self.fails.get(payload["action"]):
            raise StubError(left.pop())
        return getattr(self, payload["action"])(payload)

    def determine(self, _: dict[str, Any]) -> dict[str, Any]:
        windows = [
            {"window_start": _hour(h), "window_end": _hour(h + 1)} for h in range(self.hours)
        ]
        return {
            "windows": windows,
            "window_start": _hour(0),
            "window_end": _hour(self.hours),
            "hours": self.hours,
            "pending_alerts": self.pending,
        }

    def aggregate(self, payload: dict[str, Any]) -> dict[str, Any]:
        found = payload["window_start"] == _hour(self.anomalous or 0) and self.anomalous is not None
        return {
            "window_start": payload["window_start"],
            "window_end": payload["window_end"],
            "hours": 1,
            "events": 10,
            "types": 2,
            "anomaly_detected": found,
            "anomalies": int(found),
            "status": "final",
        }

    def notify(self, _: dict[str, Any]) -> object:
        return {"sent": 1, "pending": 0}


def _hour(hour: int) -> str:
    return f"2026-11-20T{hour:02}:00:00.000Z"


@pytest.fixture
def run(definition: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Execute:
    def run(function: Aggregate, given: dict[str, Any] | None = None) -> Outcome:
        scheduled = {"scheduled_time": "2026-11-20T02:10:00Z"}
        return execute(definition, function, scheduled if given is None else given, monkeypatch)

    return run


def test_a_quiet_run_aggregates_its_hours_in_order_and_is_recorded(run: Execute) -> None:
    aggregate = Aggregate(hours=3)

    outcome = run(aggregate)

    assert outcome.status == "SUCCEEDED"
    assert "Notify" not in outcome.states
    starts = [asked["window_start"] for asked in aggregate.asked if asked["action"] == "aggregate"]
    assert starts == [_hour(0), _hour(1), _hour(2)]
    assert outcome.run["status"] == "SUCCEEDED"
    assert outcome.run["hours"] == "3"
    assert (outcome.run["window_start"], outcome.run["window_end"]) == (_hour(0), _hour(3))
    assert json.loads(outcome.run["results"]) == [
        {
            "window_start": start,
            "status": "final",
            "events": 10,
            "anomalies": 0,
            "anomaly_detected": False,
        }
        for start in starts
    ]


def test_the_run_item_is_found_by_its_start_and_its_name(run: Execute) -> None:
    item = run(Aggregate()).run

    assert item["pk"] == "RUNS"
    assert item["sk"] == f"{item['started_at']}#{item['run_id']}"
    assert item["started_at"] <= item["finished_at"]


def test_the_window_follows_from_when_the_run_was_due(run: Execute) -> None:
    aggregate = Aggregate()

    run(aggregate, {"scheduled_time": "2026-11-20T09:10:00Z"})

    [determine] = [asked for asked in aggregate.asked if asked["action"] == "determine"]
    assert determine["input"] == {"scheduled_time": "2026-11-20T09:10:00Z"}
    assert determine["execution_started_at"][:2] == "20"


def test_the_hours_carry_the_name_of_their_run(run: Execute) -> None:
    aggregate = Aggregate()

    outcome = run(aggregate)

    named = {asked["run_id"] for asked in aggregate.asked if asked["action"] == "aggregate"}
    assert named == {outcome.run["run_id"]}


def test_a_month_of_hours_fits_into_what_step_functions_passes_on(
    definition: dict[str, Any],
) -> None:
    kept = definition["States"]["RunAggregate"]["ItemProcessor"]["States"]["AggregateHour"]
    month = Aggregate(hours=MAX_RANGE_HOURS)
    plan = month.determine({})
    answer = month.aggregate({"window_start": _hour(0), "window_end": _hour(1)})
    result = {key.removesuffix(".$"): answer[key[:-2]] for key in kept["ResultSelector"]}
    result |= {"events": 2**40, "anomalies": 99, "status": "provisional"}

    state = {**plan, "aggregated": {"hours": [result] * MAX_RANGE_HOURS, "anomaly_detected": True}}
    item = {"results": json.dumps(state["aggregated"]["hours"], separators=(",", ":"))}

    assert len(json.dumps(state, separators=(",", ":"))) < STATE_LIMIT_BYTES
    assert len(json.dumps(item)) < STATE_LIMIT_BYTES


def test_an_anomaly_in_one_hour_of_many_is_notified(run: Execute) -> None:
    outcome = run(Aggregate(hours=3, anomalous=1))

    assert outcome.status == "SUCCEEDED"
    assert outcome.states.index("Notify") < outcome.states.index("RecordCompletion")


def test_alerts_that_an_earlier_run_left_are_notified(run: Execute) -> None:
    assert "Notify" in run(Aggregate(pending=1)).states


def test_a_run_without_hours_is_recorded(run: Execute) -> None:
    outcome = run(Aggregate(hours=0))

    assert outcome.status == "SUCCEEDED"
    assert outcome.run["hours"] == "0"


def test_a_run_without_input_is_possible(run: Execute) -> None:
    assert run(Aggregate(), {}).status == "SUCCEEDED"


@pytest.mark.parametrize("action", ["determine", "aggregate", "notify"])
def test_a_store_that_fails_once_is_asked_again(run: Execute, action: str) -> None:
    outcome = run(Aggregate(hours=1, anomalous=0, **{action: ["StoreError"]}))

    assert outcome.status == "SUCCEEDED"


def test_an_hour_that_fails_keeps_no_other_from_being_aggregated(run: Execute) -> None:
    aggregate = Aggregate(hours=3, anomalous=2, aggregate=["InvalidRequestError"])

    outcome = run(aggregate)

    asked = [asked["window_start"] for asked in aggregate.asked if asked["action"] == "aggregate"]
    assert asked == [_hour(0), _hour(1), _hour(2)]
    assert "Notify" in outcome.states
    assert (outcome.status, outcome.run["error"]) == ("FAILED", "HoursFailed")


@pytest.mark.parametrize("action", ["determine", "notify"])
def test_an_error_that_no_retry_helps_is_recorded_at_once(run: Execute, action: str) -> None:
    aggregate = Aggregate(hours=1, anomalous=0, **{action: ["ConfigError"]})

    outcome = run(aggregate, {"scheduled_time": "2026-11-20T01:10:00Z"})

    assert (outcome.status, outcome.error) == ("FAILED", "EtlFailed")
    assert outcome.states[-2:] == ["RecordFailure", "Failed"]
    assert [asked["action"] for asked in aggregate.asked].count(action) == 1
    assert outcome.run["status"] == "FAILED"
    assert outcome.run["error"] == "ConfigError"
    assert "on purpose" in outcome.run["cause"]
    assert json.loads(outcome.run["input"]) == {"scheduled_time": "2026-11-20T01:10:00Z"}
