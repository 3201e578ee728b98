"""The hourly ETL as the state machine runs it: from lake objects to results, alerts, messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Set
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aggregate import figures, handler
from aggregate.requests import MAX_RANGE_HOURS
from common.domain.windows import HOUR
from common.errors import InvalidRequestError, StoreError
from common.observability import metrics
from common.ports.aggregates import TypeSpan
from fakes.aggregate_builders import NINE, RULES, World, a_line, a_quiet_past, a_window, lines_of
from fakes.aggregates import no_step
from fakes.alerts import MemoryAlertOutbox

EVENTS = Path(__file__).parents[3] / "events"


def windows(plan: dict[str, Any]) -> list[str]:
    return [window["window_start"][:13] for window in plan["windows"]]


def test_the_hour_comes_from_the_scheduled_time_however_late_the_run_is() -> None:
    world = World(now=NINE + timedelta(hours=30))

    plan = world.call(action="determine", scheduled_time="2026-11-20T10:10:00Z")

    assert plan == {
        "windows": [a_window()],
        **a_window(),
        "hours": 1,
        "pending_alerts": 0,
    }


def test_a_run_that_is_started_by_hand_without_input_takes_its_own_start() -> None:
    plan = World().call(
        action="determine", input={}, execution_started_at="2026-11-20T10:10:00.123Z"
    )

    assert windows(plan) == ["2026-11-20T09"]


def test_open_hours_come_first_and_the_running_hour_does_not_come_at_all() -> None:
    world = World()
    for hours_ago in (30, 2, 0, -1):
        world.store.raise_generation([NINE - hours_ago * HOUR])

    plan = world.call(action="determine", scheduled_time="2026-11-20T10:10:00Z")

    assert windows(plan) == ["2026-11-19T03", "2026-11-20T07", "2026-11-20T09"]


def test_a_long_backlog_is_worked_off_oldest_first_and_the_rest_is_told() -> None:
    world = World(rules=replace(RULES, max_hours=3))
    world.store.raise_generation([NINE - n * HOUR for n in range(1, 6)])

    plan = world.call(action="determine", scheduled_time="2026-11-20T10:10:00Z")

    assert windows(plan) == ["2026-11-20T04", "2026-11-20T05", "2026-11-20T09"]
    assert ("open hours are left for a later run", {"left": 3}) in world.logged


def test_hours_that_wait_for_the_stream_are_not_done_again_for_nothing() -> None:
    world = World()
    world.lag.age = timedelta(hours=3)
    world.put(lines_of("click", 1, NINE - HOUR), NINE - HOUR)
    world.run(scheduled_time="2026-11-20T09:10:00Z")

    waiting = world.call(action="determine", scheduled_time="2026-11-20T10:10:00Z")
    world.lag.age = timedelta(0)
    drained = world.call(action="determine", scheduled_time="2026-11-20T10:10:00Z")

    assert windows(waiting) == ["2026-11-20T09"]
    assert windows(drained) == ["2026-11-20T08", "2026-11-20T09"]


def test_a_range_is_taken_as_it_is_given() -> None:
    plan = World().call(action="determine", input=a_window(NINE - 3 * HOUR, 3))

    assert windows(plan) == ["2026-11-20T06", "2026-11-20T07", "2026-11-20T08"]
    assert plan["hours"] == 3


def test_an_hour_is_aggregated_whole() -> None:
    world = World()
    world.put(lines_of("click", 12, latency_ms=20.0))
    world.put([*lines_of("click", 12, sequence=2), *lines_of("view", 3, is_error=True)])

    answer = world.call(action="aggregate", **a_window())

    assert answer == {
        **a_window(),
        "hours": 1,
        "events": 15,
        "types": 2,
        "anomaly_detected": False,
        "anomalies": 0,
        "status": "final",
    }
    click, everything = world.result("click"), world.result("*")
    assert (click.count, click.errors, click.unique_users, click.latency_p95) == (12, 0, 5, 20.0)
    assert (everything.count, everything.errors, everything.unique_users) == (15, 3, 5)
    assert {each.generation for each in world.store.results.values()} == {2}
    summary = world.store.summaries[NINE]
    assert (summary.events, summary.types, summary.run_id) == (15, ("click", "view"), "run-1")
    assert world.store.open_hours(NINE + HOUR) == []


def test_what_was_done_is_logged_and_counted() -> None:
    world = World()
    world.put(lines_of("click", 12))
    world.put(lines_of("click", 12))

    world.call(**a_window(), run_id="execution-7")

    assert world.store.summaries[NINE].run_id == "execution-7"
    assert world.counted == {"HoursAggregated": 1, "AnomaliesFound": 0, "LateHours": 0}
    assert world.logged == [
        (
            "hour aggregated",
            {
                "hour": "2026-11-20T09",
                "status": "final",
                "events": 12,
                "duplicates": 12,
                "objects": 2,
                "types": 1,
                "anomalies": 0,
                "late": False,
            },
        )
    ]


def test_an_empty_hour_of_a_new_pipeline_has_a_state_and_no_results() -> None:
    world = World()

    answer = world.call(action="aggregate", **a_window())

    assert (answer["events"], answer["types"], answer["status"]) == (0, 0, "final")
    assert world.store.hour(NINE).status == "final"
    assert world.store.results == {}


def test_a_known_type_that_does_not_occur_has_a_zero() -> None:
    world = World()
    world.put(lines_of("click", 5, NINE - HOUR), NINE - HOUR)
    world.call(**a_window(NINE - HOUR))

    world.call(**a_window())

    assert (world.result("click").count, world.result("*").count) == (0, 0)
    assert world.result("click").latency_p95 is None
    assert world.store.spans == {"click": TypeSpan("click", NINE - HOUR, NINE - HOUR)}


def test_a_type_that_was_not_seen_for_a_whole_baseline_is_forgotten() -> None:
    world = World()
    long_ago = NINE - RULES.baseline - HOUR
    world.put(lines_of("click", 5, long_ago), long_ago)
    world.call(**a_window(long_ago))

    world.call(**a_window())

    assert ("click", NINE) not in world.store.results


def test_a_known_type_that_is_folded_has_no_figures_of_that_hour_and_not_a_zero(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(figures, "MAX_TYPES_PER_HOUR", 2)
    world = World()
    a_quiet_past(world, 30)
    world.put(lines_of("rare", 3))
    world.call(**a_window())
    assert world.result("rare").count == 3

    world.put([*lines_of("click", 100), *lines_of("flood", 9), *lines_of("other", 1)])
    world.store.spans["flood"] = TypeSpan("flood", NINE - HOUR, NINE - HOUR)
    world.call(**a_window())

    assert (world.result("click").count, world.result("flood").count) == (100, 9)
    assert world.result("rare").is_folded
    assert world.result("rare").anomalies == ()
    assert world.result("_other").count == 4
    assert world.store.summaries[NINE].folded == 2
    assert "other" not in world.store.spans
    assert NINE not in world.store.final_hours(NINE, NINE + HOUR)


def test_an_hour_in_which_a_type_was_folded_is_no_past_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(figures, "MAX_TYPES_PER_HOUR", 1)
    world = World()
    a_quiet_past(world, 30)
    world.store.spans["older"] = TypeSpan("older", NINE - 40 * HOUR, NINE - HOUR)
    world.put([*lines_of("click", 100), *lines_of("older", 5)])
    following = NINE + HOUR
    world.put_clicks(412, following)
    world.now = following + timedelta(minutes=70)

    world.call(**a_window(hours=2))
    [in_one_call] = world.result("click", following).anomalies
    world.call(**a_window(following))
    [by_itself] = world.result("click", following).anomalies

    assert world.result("click").is_folded
    assert in_one_call.baseline_windows == by_itself.baseline_windows == 30
    assert in_one_call.baseline_mean == by_itself.baseline_mean > 95


def test_of_two_runs_that_saw_the_same_rows_the_one_that_began_last_decides() -> None:
    world = World()
    a_quiet_past(world, 48)
    world.put_clicks(412, NINE)
    stalled = _StallsBeforeResolving(world)
    finds_nothing = replace(world.deps(), alerts=stalled, rules=replace(RULES, threshold=1e6))

    world_deps, world.deps = world.deps, lambda: finds_nothing  # type: ignore[method-assign]
    answer = world.call(**a_window())
    world.deps = world_deps  # type: ignore[method-assign]

    assert answer["status"] == "provisional"
    assert {row.state for row in world.alerts.rows.values()} == {"PENDING"}
    assert world.call(action="notify") == {"sent": 2, "pending": 0}
    assert [each.hour for each in world.store.open_hours(NINE + HOUR)] == [NINE]


class _StallsBeforeResolving(MemoryAlertOutbox):
    """Has a whole other run, which finds anomalies, happen before its own alerts are settled."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.rows = world.alerts.rows
        self._others = World(now=world.now, store=world.store, alerts=world.alerts)
        self._others.figures = world.figures

    def resolve(self, hour: datetime, still: Set[str], attempt: int, at: datetime) -> None:
        self._others.call(**a_window())
        super().resolve(hour, still, attempt, at)


def test_a_run_that_dies_leaves_the_hour_open_even_if_it_was_closed() -> None:
    world = World()
    world.put_clicks(100, NINE)
    world.call(**a_window())
    assert world.store.open_hours(NINE + HOUR) == []

    world.store.step = _fail_at("put_result")
    with pytest.raises(StoreError):
        world.call(**a_window())
    world.store.step = no_step

    assert [each.hour for each in world.store.open_hours(NINE + HOUR)] == [NINE]
    world.run(scheduled_time="2026-11-20T11:10:00Z")
    assert NINE not in [each.hour for each in world.store.open_hours(NINE + HOUR)]


def _fail_at(name: str) -> Callable[[str], None]:
    def step(called: str) -> None:
        if called == name:
            raise StoreError("dynamodb:PutItem failed: InternalServerError")

    return step


def test_a_late_event_has_its_hour_done_again() -> None:
    world = World()
    world.put(lines_of("click", 5))
    world.run(scheduled_time="2026-11-20T10:10:00Z")
    world.put([a_line("late")])

    world.now += HOUR
    world.run(scheduled_time="2026-11-20T11:10:00Z")

    assert world.result("click").count == 6
    assert world.result("click").generation == 2
    assert world.counted["LateHours"] == 1
    assert world.store.open_hours(NINE + HOUR) == []


def test_an_hour_is_provisional_until_its_grace_has_passed() -> None:
    world = World(now=NINE + HOUR + timedelta(minutes=4, seconds=59))
    world.put(lines_of("click", 5))
    assert world.call(**a_window())["status"] == "provisional"

    world.now = NINE + HOUR + timedelta(minutes=5)
    assert world.call(**a_window())["status"] == "final"


@pytest.mark.parametrize(
    ("age", "status"),
    [
        pytest.param(timedelta(minutes=5), "final", id="read up to the end of the grace"),
        pytest.param(timedelta(minutes=6), "provisional", id="read up to a minute before"),
        pytest.param(None, "provisional", id="nobody knows how far"),
    ],
)
def test_an_hour_is_final_only_when_the_stream_is_drained(
    age: timedelta | None, status: str
) -> None:
    world = World()
    world.lag.age = age
    world.put(lines_of("click", 5))

    assert world.call(**a_window())["status"] == status
    assert world.result("click").status == status
    assert len(world.store.open_hours(NINE + HOUR)) == (status == "provisional")


def test_a_burst_is_found_explained_sent_once_and_stays_sent() -> None:
    world = World()
    a_quiet_past(world, 48)
    world.put(lines_of("click", 412))

    run = world.run(scheduled_time="2026-11-20T10:10:00Z")

    [hour] = run["results"]
    assert hour["anomaly_detected"]
    assert hour["anomalies"] == 2
    assert {alert.event_type for alert in world.publisher.published} == {"click", "*"}
    [finding] = world.result("click").anomalies
    assert (finding.metric, finding.direction, finding.baseline_windows) == ("count", "up", 48)
    assert finding.explanation.startswith("412 click events between 09:00 and 10:00 UTC, expected ")
    assert world.counted["AnomaliesFound"] == world.counted["AlertsPublished"] == 2

    world.run(**a_window())
    world.call(action="notify")

    assert len(world.publisher.published) == 2


def test_an_hour_like_the_ones_before_raises_nothing() -> None:
    world = World()
    a_quiet_past(world, 48)
    world.put(lines_of("click", 104))

    assert not world.call(**a_window())["anomaly_detected"]


def test_a_type_that_falls_silent_is_found() -> None:
    world = World()
    a_quiet_past(world, 48)

    assert world.call(**a_window())["anomalies"] == 2
    [finding] = world.result("click").anomalies
    assert (finding.metric, finding.direction, finding.value) == ("count", "down", 0.0)


def test_with_23_past_hours_nothing_is_judged_and_with_24_it_is() -> None:
    short, enough = World(), World()
    a_quiet_past(short, 23)
    a_quiet_past(enough, 24)
    for world in (short, enough):
        world.put(lines_of("click", 412))

    assert short.call(**a_window())["anomalies"] == 0
    assert enough.call(**a_window())["anomalies"] > 0


def test_the_past_is_the_same_in_one_call_and_in_many() -> None:
    together, apart = World(), World()
    for world in (together, apart):
        hours = [NINE - n * HOUR for n in range(30, -1, -1)]
        for n, hour in enumerate(hours):
            world.put_clicks(90 + n % 7 if n != 27 else 300, hour)
    together.call(**a_window(hours[0], 31))
    for hour in hours:
        apart.call(**a_window(hour))

    assert together.store.results == apart.store.results
    assert len(together.alerts.rows) > 0
    assert together.alerts.rows.keys() == apart.alerts.rows.keys()


def test_a_long_range_reads_each_past_once() -> None:
    world = World()
    a_quiet_past(world, 48)
    world.store.calls.clear()

    world.call(**a_window(NINE - 20 * HOUR, 20))

    assert world.store.calls.count("history") == 2
    assert world.store.calls.count("final_hours") == 1


def test_provisional_hours_raise_no_alert_and_are_no_past() -> None:
    world = World()
    a_quiet_past(world, 48)
    world.lag.age = None
    world.put(lines_of("click", 412))
    world.put_clicks(100, NINE - HOUR)

    assert world.call(**a_window(NINE - HOUR, 2))["anomalies"] == 0
    assert world.alerts.rows == {}

    world.lag.age = timedelta(0)
    world.call(**a_window())
    [finding] = world.result("click").anomalies
    assert finding.baseline_windows == 47


def test_hours_that_nobody_aggregated_are_unknown_and_not_zero() -> None:
    world = World()
    a_quiet_past(world, 30)
    gap = [NINE - n * HOUR for n in range(10, 0, -1)]
    for hour in gap:
        del world.store.progress[hour]
        for name in ("click", "*"):
            del world.store.results[name, hour]
    world.put(lines_of("click", 100))

    assert world.call(**a_window())["anomalies"] == 0


def test_a_late_event_that_takes_an_anomaly_away_resolves_its_alert() -> None:
    world = World()
    a_quiet_past(world, 48)
    world.put(lines_of("click", 10))
    world.call(**a_window())
    assert {row.state for row in world.alerts.rows.values()} == {"PENDING"}

    world.put(lines_of("click", 100))
    world.call(**a_window())

    assert {row.state for row in world.alerts.rows.values()} == {"RESOLVED"}
    assert world.call(action="notify") == {"sent": 0, "pending": 0}
    assert world.result("click").anomalies == ()


def test_alerts_of_an_earlier_run_that_died_are_sent_by_the_next() -> None:
    world = World()
    a_quiet_past(world, 48)
    world.put(lines_of("click", 412))
    world.call(**a_window())

    world.now += HOUR
    plan = world.run(scheduled_time="2026-11-20T11:10:00Z")

    assert plan["pending_alerts"] == 2
    assert len(world.publisher.published) == 2
    assert world.call(action="notify") == {"sent": 0, "pending": 0}


def test_an_alert_that_cannot_be_sent_holds_no_other_up_and_is_sent_later() -> None:
    world = World()
    a_quiet_past(world, 48)
    world.put(lines_of("click", 412))
    world.call(**a_window())
    broken = world.alerts.pending()[0].alert_id
    world.publisher.refuses = {broken}

    with pytest.raises(StoreError):
        world.call(action="notify")
    assert [alert.alert_id == broken for alert in world.publisher.published] == [False]

    world.publisher.refuses = set()
    assert world.call(action="notify") == {"sent": 1, "pending": 0}


def test_an_alert_that_its_result_does_not_bear_out_is_not_sent() -> None:
    world = World()
    a_quiet_past(world, 48)
    world.put_clicks(412, NINE)
    world.call(**a_window())
    overtaken = world.alerts.pending()
    world.alerts.rows.clear()
    world.put_clicks(100, NINE)
    world.call(**a_window())

    world.alerts.record(overtaken, 1)

    assert world.call(action="notify") == {"sent": 0, "pending": 0}
    assert {row.state for row in world.alerts.rows.values()} == {"RESOLVED"}
    assert world.publisher.published == []


def test_an_alert_of_an_hour_that_is_provisional_again_waits() -> None:
    world = World()
    a_quiet_past(world, 48)
    world.put_clicks(412, NINE)
    world.call(**a_window())
    world.lag.age = None
    world.put_clicks(413, NINE)
    world.call(**a_window())

    assert world.call(action="notify") == {"sent": 0, "pending": 2}

    world.lag.age = timedelta(0)
    world.call(**a_window())
    assert world.call(action="notify") == {"sent": 2, "pending": 0}
    assert {each.finding.value for each in world.publisher.published} == {413.0}


def test_a_run_that_a_newer_one_overtook_changes_nothing_and_says_so() -> None:
    world = World()
    world.put(lines_of("click", 5))
    slow = world.deps()
    overtaken = replace(slow, read_hour=_Overtaking(world, slow.read_hour))

    world_deps, world.deps = world.deps, lambda: overtaken  # type: ignore[method-assign]
    answer = world.call(**a_window())
    world.deps = world_deps  # type: ignore[method-assign]

    assert (answer["events"], answer["status"]) == (0, "provisional")
    assert world.result("click").count == 6
    assert ("a newer run overtook this one", {"hour": "2026-11-20T09"}) in world.logged
    assert [each.hour for each in world.store.open_hours(NINE + HOUR)] == [NINE]


class _Overtaking:
    """Has a whole other run happen between a run's reading and its writing."""

    def __init__(self, world: World, read_hour: Any) -> None:
        self._world = world
        self._read_hour = read_hour
        self._others = world.deps()

    def __call__(self, hour: Any, known: Any) -> Any:
        figures = self._read_hour(hour, known)
        self._world.put([a_line("late")])
        newer = World(store=self._world.store, alerts=self._world.alerts, lake=self._world.lake)
        newer.call(**a_window())
        return figures


@pytest.mark.parametrize(
    ("event", "field", "rule"),
    [
        ({}, "window_start", "missing"),
        ({"window_start": "2026-11-20T09:00:00Z"}, "window_end", "missing"),
        (a_window() | {"window_start": "2026-11-20T09:30:00Z"}, "window_start", "whole_hour"),
        (a_window() | {"window_end": "2026-11-20T10:00:00.001Z"}, "window_end", "whole_hour"),
        (a_window() | {"window_start": "2026-11-20T09:00:00"}, "window_start", "instant_format"),
        (a_window() | {"window_start": ["2026"]}, "window_start", "instant_type"),
        (a_window(hours=0), "window_end", "order"),
        (a_window(hours=-3), "window_end", "order"),
        (a_window(hours=3), "window_end", "future"),
        (a_window(NINE - 800 * HOUR, MAX_RANGE_HOURS + 1), "window_end", "too_long"),
        ({"action": "determine"}, "execution_started_at", "missing"),
        ({"action": "determine", "scheduled_time": "soon"}, "scheduled_time", "instant_format"),
        ({"action": "determine", "input": [1]}, "input", "type"),
        ({"action": "explode"}, "action", "unknown"),
        ({"action": None}, "action", "unknown"),
    ],
)
def test_what_cannot_be_done_is_refused_by_field_and_rule(
    event: dict[str, Any], field: str, rule: str
) -> None:
    world = World()

    with pytest.raises(InvalidRequestError) as refusal:
        world.call(**event)

    assert (field, rule) in [(each.field, each.rule) for each in refusal.value.errors]
    assert field in refusal.value.message
    assert world.store.calls == []


def test_a_range_that_is_too_long_is_told_the_bound() -> None:
    with pytest.raises(InvalidRequestError, match="744 are the most of one run"):
        World().call(action="determine", input=a_window(NINE - 800 * HOUR, 800))


def test_an_offset_that_makes_a_whole_hour_in_utc_is_fine() -> None:
    world = World()
    window = {
        "window_start": "2026-11-20T14:30:00+05:30",
        "window_end": "2026-11-20T15:30:00+05:30",
    }

    assert world.call(**window)["window_start"] == "2026-11-20T09:00:00.000Z"


def test_the_longest_range_fits_what_step_functions_carries() -> None:
    world = World()
    plan = world.call(action="determine", input=a_window(NINE - 744 * HOUR, MAX_RANGE_HOURS))
    most = 10**12
    answer = {
        **a_window(),
        "hours": 1,
        "events": most,
        "types": 501,
        "anomaly_detected": False,
        "anomalies": 2004,
        "status": "provisional",
    }
    state = {**plan, "aggregated": {"hours": [answer] * MAX_RANGE_HOURS}}
    machine = json.loads((EVENTS.parent / "step-functions" / "etl-workflow.json").read_text())
    task = machine["States"]["RunAggregate"]["ItemProcessor"]["States"]["AggregateHour"]
    retries = sum(rule["MaxAttempts"] for rule in task["Retry"])

    assert len(json.dumps(state, separators=(",", ":"))) < 256 * 1024
    assert MAX_RANGE_HOURS * (9 + 3 * retries) + 100 < 25_000


@pytest.mark.parametrize("name", sorted(path.name for path in EVENTS.glob("aggregate-*.json")))
def test_the_handler_takes_every_sample_event(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    context = SimpleNamespace(
        function_name="aggregate",
        memory_limit_in_mb=2048,
        invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:aggregate",
        aws_request_id="request-1",
    )
    monkeypatch.setattr(handler, "deps", world.deps)
    monkeypatch.setattr(metrics, "namespace", "EventStream")
    monkeypatch.setattr(metrics, "service", "aggregate")
    event = json.loads((EVENTS / name).read_text())

    answer = handler.lambda_handler(event, context)

    expected = {"determine": "windows", "notify": "sent"}.get(event.get("action"), "events")
    assert expected in answer
    assert json.loads(json.dumps(answer)) == answer


def test_hour_after_hour_a_steady_pipeline_ends_with_everything_closed() -> None:
    world = World()
    hours = [NINE - n * HOUR for n in range(30, -1, -1)]
    for n, hour in enumerate(hours):
        world.put_clicks(90 + n % 7, hour)

    world.run_hourly(hours)

    assert world.store.open_hours(NINE + HOUR) == []
    assert {world.result("click", hour).status for hour in hours} == {"final"}
    assert world.alerts.rows == {}
