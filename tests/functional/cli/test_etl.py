from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from moto import mock_aws

from common.models import AnomalyFinding
from eventstream.etl.runs import Etl, EtlFailedError, read_hour, split_range
from eventstream.output import UsageProblemError
from fakes.event_api import FakeClock
from functional.cli.etl_world import START, Machine, World
from functional.cli.running import Run

NINE = START + timedelta(hours=1)
FINDING = AnomalyFinding(
    metric="count",
    value=40,
    direction="up",
    z_score=9.1,
    threshold=3,
    baseline_mean=6,
    baseline_sd=3.7,
    baseline_windows=90,
    expected_low=0,
    expected_high=17,
    explanation="40 error events, expected 0..17",
)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        made = World(Machine())
        monkeypatch.setattr("eventstream.commands.etl.resolve", lambda *_: made)
        monkeypatch.setattr("eventstream.etl.runs.LOCAL_POLL_S", 0.001)
        yield made


def test_a_range_is_run_and_its_totals_are_shown(run: Run, world: World) -> None:
    world.write_hour(START, {"purchase": 3, "page_view": 10})
    world.write_hour(NINE, {"purchase": 4}, [FINDING])

    result = run("etl", "run", "--from", "2026-11-19T08", "--to", "2026-11-19T10", "--json")

    assert world.machine.inputs == [
        {"window_start": "2026-11-19T08:00:00.000Z", "window_end": "2026-11-19T10:00:00.000Z"}
    ]
    assert result.code == 0
    assert [(row["event_type"], row["count"]) for row in result.json["types"]] == [
        ("page_view", 10),
        ("purchase", 7),
    ]
    assert [(row["hour"], row["events"]) for row in result.json["hours"]] == [
        ("2026-11-19T08", 13),
        ("2026-11-19T09", 4),
    ]
    assert result.json["executions"][0]["seconds"] == 12.3


def test_one_hour_can_be_named_and_shown_by_hour(run: Run, world: World) -> None:
    world.write_hour(START, {"purchase": 3})

    result = run("etl", "run", "--hour", "2026-11-19T08", "--by", "hour")

    assert world.machine.inputs[0]["window_end"] == "2026-11-19T09:00:00.000Z"
    assert "2026-11-19T08" in result.out


def test_without_a_range_it_does_what_is_due_and_shows_what_was_done(
    run: Run, world: World
) -> None:
    world.write_hour(START, {"purchase": 3})

    result = run("etl", "run", "--json")

    assert list(world.machine.inputs[0]) == ["scheduled_time"]
    assert [row["hour"] for row in result.json["hours"]] == ["2026-11-19T08"]


def test_a_range_longer_than_one_execution_takes_is_run_in_parts(run: Run, world: World) -> None:
    result = run("etl", "run", "--from", "2026-01-01T00", "--to", "2026-03-01T00", "--json")

    assert result.code == 0
    ends = [(each["window_start"], each["window_end"]) for each in world.machine.inputs]
    assert ends == [
        ("2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z"),
        ("2026-02-01T00:00:00.000Z", "2026-03-01T00:00:00.000Z"),
    ]


def test_a_failed_execution_is_told_with_its_error_and_cause(run: Run, world: World) -> None:
    world.machine.outcome = "FAILED"

    def fail_with_cause(**arguments: str) -> object:
        started = Machine.start_execution(world.machine, **arguments)
        world.record_failure('{"errorMessage": "s3:GetObject failed: NoSuchKey"}')
        return started

    world.machine.start_execution = fail_with_cause

    result = run("etl", "run", "--hour", "2026-11-19T08")

    assert result.code == 1
    assert "is FAILED: StoreError: s3:GetObject failed: NoSuchKey" in result.err


def test_an_execution_that_left_no_run_item_is_told_by_its_own_error(
    run: Run, world: World
) -> None:
    world.machine.outcome = "TIMED_OUT"

    result = run("etl", "run", "--hour", "2026-11-19T08")

    assert result.code == 1
    assert "is TIMED_OUT: EtlFailed: see the run item" in result.err


def test_no_wait_prints_the_name_and_returns(run: Run, world: World) -> None:
    result = run("etl", "run", "--hour", "2026-11-19T08", "--no-wait")

    assert result.out.strip() == world.machine.names[0]


def test_waiting_ends_with_the_time_it_was_given(world: World) -> None:
    world.machine.polls = 10_000
    clock = FakeClock()
    machine = Etl(world, poll_s=5.0, now=clock, sleep=clock.sleep)

    with pytest.raises(EtlFailedError, match="still runs after 60 s"):
        machine.wait(machine.start({}), 60.0, lambda: None)

    assert clock.now_s == pytest.approx(65.0)


def test_progress_counts_the_hours_that_this_execution_wrote(world: World) -> None:
    machine = Etl(world)
    execution, advanced = machine.start({}), []
    count = machine.hour_counter(execution, (START, START + timedelta(hours=3)), advanced.append)

    count()
    world.write_hour(START, {"purchase": 1})
    world.write_hour(NINE, {"purchase": 1})
    count()
    count()

    assert advanced == [2]


def test_status_lists_executions_and_open_hours(run: Run, world: World) -> None:
    run("etl", "run", "--hour", "2026-11-19T08")
    world.aggregates.reopen_hour(NINE)

    result = run("etl", "status", "--json")

    assert [row["name"] for row in result.json["executions"]] == world.machine.names
    assert [row["hour"] for row in result.json["open_hours"]] == ["2026-11-19T09"]
    assert "2026-11-19T09" in run("etl", "status").out


def test_status_fits_a_window_of_80_columns_with_names_and_times_whole(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventstream.output.PIPE_WIDTH", 80)
    run("etl", "run", "--hour", "2026-11-19T08")
    world.machine.names.append("c5fd4c5e-7a10-4b8e-9d55-0a1f6b2c3d4e")  # as the schedule names it
    world.aggregates.reopen_hour(NINE)

    shown = run("etl", "status").out

    assert max(len(line) for line in shown.splitlines()) <= 80
    for whole in (*world.machine.names, "2026-11-19 08:00", "SUCCEEDED", "2026-11-19T09"):
        assert whole in shown


def test_status_of_a_pipeline_that_did_nothing_draws_no_empty_tables(
    run: Run, world: World
) -> None:
    result = run("etl", "status")

    assert result.out == "no hour waits for an execution\n"
    assert "no execution yet: `eventstream etl run` starts one" in result.err


def test_findings_come_with_their_explanation(world: World) -> None:
    world.write_hour(NINE, {"error": 40}, [FINDING])

    [found] = Etl(world).results.findings(START, NINE + timedelta(hours=1), ["error"])

    assert (found["hour"], found["metric"]) == ("2026-11-19T09", "count")
    assert found["explanation"] == "40 error events, expected 0..17"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--hour", "2026-11-19T08", "--from", "2026-11-19T08"), "--hour goes without"),
        (("--to", "2026-11-19T08"), "--to needs --from"),
        (("--from", "2026-11-19T09", "--to", "2026-11-19T08"), "ends"),
        (("--hour", "2026-11-19T08:30:00Z"), "--hour must be a whole hour"),
        (("--hour", "now"), "--hour must be a whole hour"),
        (("--by", "colour"), "--by must be"),
        (("--from", "2026-01-01T00", "--to", "2026-03-01T00", "--no-wait"), "leave out --no-wait"),
    ],
)
def test_wrong_use_exits_2_and_starts_nothing(
    run: Run, world: World, arguments: tuple[str, ...], told: str
) -> None:
    result = run("etl", "run", *arguments)

    assert result.code == 2
    assert told in result.err
    assert world.machine.inputs == []


def test_hours_are_read_as_a_person_writes_them() -> None:
    hour = datetime(2026, 11, 19, 8, tzinfo=UTC)

    for text in ("2026-11-19T08", "2026-11-19T08:00:00Z", "2026-11-19T10:00:00+02:00"):
        assert read_hour(text, "--hour") == hour


def test_parts_cover_a_range_without_gap_or_overlap() -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 5, 7, tzinfo=UTC)

    parts = split_range(start, end, most=24)

    assert parts[0][0] == start
    assert parts[-1][1] == end
    assert all(one[1] == two[0] for one, two in pairwise(parts))
    with pytest.raises(UsageProblemError, match="before it begins"):
        split_range(end, start)


def test_a_run_says_which_hours_it_did(run: Run, world: World) -> None:
    world.write_hour(START, {"purchase": 3})

    result = run("etl", "run", "--hour", "2026-11-19T08")

    assert "did the hours from 2026-11-19T08 to 2026-11-19T09 (exclusive)" in result.err
    assert "event type" in result.out
    assert "event_type" not in result.out


def test_a_run_over_hours_without_events_says_so_and_draws_no_table(run: Run, world: World) -> None:
    result = run("etl", "run", "--hour", "2026-11-19T08")

    assert result.code == 0
    assert "there were no events in these hours" in result.err
    assert result.out == ""
