import json
from datetime import UTC, datetime, timedelta

import pytest

from eventstream.local import schedule, scheduler
from eventstream.local.errors import TemplateError

NINE = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:etl"


def due(expression: str, zone: str = "UTC", hours: int = 24) -> list[str]:
    found = schedule.parse("S", expression, zone).due_between(NINE, NINE + timedelta(hours=hours))
    return [f"{each:%dT%H:%M}" for each in found]


# "Schedule types in EventBridge Scheduler".
@pytest.mark.parametrize(
    ("expression", "hours", "expected"),
    [
        ("cron(10 * * * ? *)", 3, ["20T09:10", "20T10:10", "20T11:10"]),
        ("cron(0/20 10 * * ? *)", 3, ["20T10:00", "20T10:20", "20T10:40"]),
        ("cron(5,50 9-10 * * ? *)", 3, ["20T09:05", "20T09:50", "20T10:05", "20T10:50"]),
        ("cron(0 0 21 11 ? 2026)", 24, ["21T00:00"]),
        ("cron(0 8 ? * 7 *)", 24, ["21T08:00"]),
        ("cron(0 8 ? * 1 *)", 24, []),
        ("rate(1 hour)", 3, ["20T10:00", "20T11:00", "20T12:00"]),
        ("at(2026-11-20T09:30:00)", 3, ["20T09:30"]),
    ],
)
def test_a_schedule_is_due_when_its_expression_says(
    expression: str, hours: int, expected: list[str]
) -> None:
    assert due(expression, hours=hours) == expected


def test_a_schedule_follows_its_time_zone() -> None:
    assert due("cron(0 12 * * ? *)", zone="Europe/Paris") == ["20T11:00"]


def test_the_end_of_the_span_belongs_to_it_and_the_start_does_not() -> None:
    hourly = schedule.parse("S", "cron(0 * * * ? *)")

    assert hourly.due_between(NINE, NINE) == []
    assert hourly.due_between(NINE, NINE + timedelta(hours=1)) == [NINE + timedelta(hours=1)]


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("cron(0 0 L * ? *)", "UTC"),
        ("cron(0 0 ? * MON *)", "UTC"),
        ("cron(0 0 * * *)", "UTC"),
        ("cron(99 * * * ? *)", "UTC"),
        ("rate(0 minutes)", "UTC"),
        ("every hour", "UTC"),
        ("rate(1 hour)", "Mars/Olympus"),
    ],
)
def test_what_the_local_scheduler_does_not_know_is_refused(expression: str, zone: str) -> None:
    with pytest.raises(TemplateError, match="MySchedule"):
        schedule.parse("MySchedule", expression, zone)


def a_task(**other: str) -> scheduler.Task:
    properties = {
        "ScheduleExpression": "cron(10 * * * ? *)",
        "Target": {"Arn": MACHINE, "Input": '{"scheduled_time": "<aws.scheduler.scheduled-time>"}'},
        **other,
    }
    task = scheduler.parse("Etl", properties)
    assert task is not None
    return task


# "Adding context attributes in EventBridge Scheduler".
def test_the_input_carries_the_time_the_run_was_due_and_not_the_clock() -> None:
    assert json.loads(a_task().input_at(NINE)) == {"scheduled_time": "2026-11-20T09:00:00Z"}


def test_one_due_time_is_one_execution() -> None:
    task = a_task()

    assert task.run_name(NINE) == task.run_name(NINE)
    assert task.run_name(NINE) != task.run_name(NINE + timedelta(hours=1))


def test_a_disabled_schedule_is_not_run() -> None:
    assert scheduler.parse("Etl", {"State": "DISABLED"}) is None


def test_a_schedule_of_something_else_than_a_state_machine_is_refused() -> None:
    target = {"Arn": "arn:aws:lambda:us-east-1:000000000000:function:f"}

    with pytest.raises(TemplateError, match=r"Etl: .*state machines only"):
        scheduler.parse("Etl", {"ScheduleExpression": "rate(1 hour)", "Target": target})
