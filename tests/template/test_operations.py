from __future__ import annotations

import copy
import json
import shlex

import pytest

from common.models import IngestEvent
from template.checks import operations
from template.checks.reading import Template, of_type, target, with_value, without
from template.checks.stores import Check

ALARM = ("IteratorAgeAlarm", "Properties")
NEEDED_OUTPUTS = {
    "EventsUrl",
    "ApiUrl",
    "StreamName",
    "LakeBucketName",
    "FailureBucketName",
    "HotTableName",
    "AggregatesTableName",
    "KeysTableName",
    "AlertTopicArn",
    "AlarmTopicArn",
    "EtlStateMachineArn",
    "GlueDatabaseName",
    "AthenaWorkGroupName",
    "IngestFunctionName",
    "ProcessFunctionName",
    "AggregateFunctionName",
    "QueryFunctionName",
}


@pytest.mark.parametrize(
    "check",
    [
        operations.untagged,
        operations.silent_alarms,
        operations.unwatched,
        operations.unheard_metrics,
        operations.vague_outputs,
    ],
)
def test_an_operator_is_told(check: Check, translated: Template) -> None:
    assert check(translated) == []


@pytest.mark.parametrize(
    ("check", "path"),
    [
        pytest.param(operations.untagged, ("HotTable", "Properties", "Tags"), id="untagged"),
        pytest.param(operations.silent_alarms, (*ALARM, "AlarmActions"), id="tells-nobody"),
        pytest.param(operations.silent_alarms, (*ALARM, "TreatMissingData"), id="cries"),
        pytest.param(operations.silent_alarms, (*ALARM, "AlarmDescription"), id="says-nothing"),
        pytest.param(operations.unwatched, ("IteratorAgeAlarm",), id="no-iterator-age"),
        pytest.param(operations.unwatched, ("QueryFunctionErrorsAlarm",), id="no-errors"),
    ],
)
def test_leaving_a_sign_out_is_found(
    check: Check, path: tuple[str, ...], translated: Template
) -> None:
    assert check(without(translated, *path)) != []


def test_a_type_that_nobody_decided_about_is_found(translated: Template) -> None:
    grown = with_value(translated, {"Type": "AWS::SQS::Queue"}, "Queue")

    assert "whether AWS::SQS::Queue takes tags" in str(operations.untagged(grown))


@pytest.mark.parametrize(
    ("key", "value", "finding"),
    [
        ("MetricName", "EventsBuried", "emits no EventsBuried"),
        ("Namespace", "Events", "another namespace"),
        ("Dimensions", [{"Name": "service", "Value": "bury"}], "no function is called bury"),
    ],
)
def test_an_alarm_on_a_metric_that_nobody_emits_is_found(
    key: str, value: object, finding: str, translated: Template
) -> None:
    deaf = with_value(translated, value, "EventsQuarantinedAlarm", "Properties", key)

    assert finding in str(operations.unheard_metrics(deaf))


def test_outputs_that_start_with_something_else_are_found(translated: Template) -> None:
    shuffled = copy.deepcopy(translated)
    shuffled["Outputs"] = dict(reversed(translated["Outputs"].items()))
    del shuffled["Outputs"]["FirstEventCommand"]

    assert len(operations.vague_outputs(shuffled)) == 2


def test_outputs_name_what_other_tools_need(translated: Template) -> None:
    assert set(translated["Outputs"]) >= NEEDED_OUTPUTS


def test_the_command_to_paste_sends_an_event_that_is_taken(translated: Template) -> None:
    command = translated["Outputs"]["FirstEventCommand"]["Value"]["Fn::Sub"]
    arguments = shlex.split(command)

    body = arguments[arguments.index("-d") + 1]

    assert IngestEvent.model_validate(json.loads(body)).event_type == "page_view"
    assert "content-type: application/json" in arguments


def test_the_etl_is_due_every_hour_and_told_which(translated: Template) -> None:
    [schedule] = of_type(translated, "AWS::Scheduler::Schedule").values()

    assert schedule["ScheduleExpression"] == {"Fn::Sub": "cron(${EtlMinute} * * * ? *)"}
    assert schedule["ScheduleExpressionTimezone"] == "UTC"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert target(schedule["Target"]["Arn"]) == "EtlStateMachine"
    assert json.loads(schedule["Target"]["Input"]) == {
        "scheduled_time": "<aws.scheduler.scheduled-time>"
    }
    assert schedule["Target"]["RetryPolicy"]["MaximumRetryAttempts"] > 0


def test_runs_are_logged_without_what_they_carry(translated: Template) -> None:
    [machine] = of_type(translated, "AWS::StepFunctions::StateMachine").values()

    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["Level"] == "ALL"
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False
    assert machine["StateMachineType"] == "STANDARD"
