from __future__ import annotations

import copy
from typing import Any

import pytest

from common import errors
from template.checks import workflow
from template.checks.reading import Template, of_type, target

Definition = dict[str, Any]

PROMISED = ["DetermineWindow", "RunAggregate", "CheckForAnomalies", "Notify", "RecordCompletion"]


def changed(definition: Definition, value: object, *path: str | int) -> Definition:
    copied = copy.deepcopy(definition)
    place: Any = copied["States"]
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return copied


def test_the_definition_is_whole_and_every_state_is_reached(definition: Definition) -> None:
    assert workflow.broken_structure(definition) == []


@pytest.mark.parametrize(
    ("value", "path", "finding"),
    [
        pytest.param("Nowhere", ("Notify", "Next"), "Nowhere, which is no state", id="next"),
        pytest.param(
            "Nowhere", ("RunAggregate", "Catch", 0, "Next"), "which is no state", id="catch"
        ),
        pytest.param(
            "Nowhere",
            ("CheckForAnomalies", "Choices", 0, "Next"),
            "which is no state",
            id="choice",
        ),
        pytest.param("Tsk", ("Notify", "Type"), "does not exist", id="type"),
        pytest.param(None, ("RecordCompletion", "End"), "either Next or End", id="no-way-on"),
        pytest.param(True, ("Notify", "End"), "either Next or End", id="two-ways-on"),
        pytest.param(None, ("CheckForAnomalies", "Default"), "no Default", id="no-default"),
        pytest.param({"Type": "Succeed"}, ("Island",), "is never reached", id="unreachable"),
        pytest.param(
            "Nowhere",
            ("RunAggregate", "ItemProcessor", "StartAt"),
            "StartAt names Nowhere",
            id="inner-start",
        ),
    ],
)
def test_a_broken_definition_is_found(
    value: object, path: tuple[str | int, ...], finding: str, definition: Definition
) -> None:
    assert finding in str(workflow.broken_structure(changed(definition, value, *path)))


def test_no_failure_goes_unrecorded_and_no_retry_is_a_stampede(definition: Definition) -> None:
    assert workflow.unsafe_failures(definition) == []


@pytest.mark.parametrize(
    ("value", "path", "finding"),
    [
        pytest.param(None, ("Notify", "Catch"), "not every failure is caught", id="uncaught"),
        pytest.param(
            "Failed",
            ("Notify", "Catch", 0, "Next"),
            "do not lead to RecordFailure",
            id="unrecorded",
        ),
        pytest.param(None, ("Notify", "Retry"), "is not retried", id="no-retry"),
        pytest.param(
            ["States.ALL"], ("Notify", "Retry", 0, "ErrorEquals"), "can never succeed", id="all"
        ),
        pytest.param(
            None, ("Notify", "Retry", 0, "JitterStrategy"), "backoff and jitter", id="no-jitter"
        ),
        pytest.param(
            None, ("Notify", "Retry", 0, "MaxDelaySeconds"), "for hours", id="endless-backoff"
        ),
        pytest.param(None, ("Notify", "TimeoutSeconds"), "wait for ever", id="no-timeout"),
    ],
)
def test_an_unsafe_step_is_found(
    value: object, path: tuple[str | int, ...], finding: str, definition: Definition
) -> None:
    assert finding in str(workflow.unsafe_failures(changed(definition, value, *path)))


def test_the_promised_states_follow_each_other(definition: Definition) -> None:
    states = definition["States"]
    walked = [definition["StartAt"]]
    while not states[walked[-1]].get("End"):
        state = states[walked[-1]]
        anomalous = walked[-1] == "CheckForAnomalies"
        walked.append(
            state["Choices"][0]["Next"] if anomalous else state.get("Next") or state["Default"]
        )

    assert [name for name in walked if name != "CheckForFailures"] == PROMISED


def test_hours_are_aggregated_one_after_the_other(definition: Definition) -> None:
    assert definition["States"]["RunAggregate"]["MaxConcurrency"] == 1


def test_every_error_class_that_is_retried_is_one_of_ours(definition: Definition) -> None:
    retried = {
        name
        for _, machine in workflow.machines(definition)
        for state in machine["States"].values()
        for rule in state.get("Retry", [])
        for name in rule["ErrorEquals"]
        if "." not in name
    }

    assert retried == {"ThrottledError", "StoreError", "ConditionLostError"}
    assert all(issubclass(getattr(errors, name), errors.EventStreamError) for name in retried)


def test_placeholders_and_substitutions_are_the_same(
    definition: Definition, template: Template
) -> None:
    given = template["Resources"]["EtlStateMachine"]["Properties"]["DefinitionSubstitutions"]

    assert workflow.substitutions(definition) == set(given)


def test_substitutions_name_what_the_definition_needs(translated: Template) -> None:
    [machine] = of_type(translated, "AWS::StepFunctions::StateMachine").values()

    given = {name: target(value) for name, value in machine["DefinitionSubstitutions"].items()}

    assert given == {
        "Partition": "AWS::Partition",
        "AggregateFunctionArn": "AggregateFunction",
        "AggregatesTable": "AggregatesTable",
    }


def test_the_definition_keeps_to_what_every_interpreter_understands(
    definition: Definition,
) -> None:
    assert workflow.unsupported(definition) == []


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("arn:aws:states:::athena:startQueryExecution.sync", ("Notify", "Resource")),
        ("JSONata", ("Notify", "QueryLanguage")),
    ],
)
def test_what_an_interpreter_lacks_is_found(
    value: str, path: tuple[str, ...], definition: Definition
) -> None:
    assert workflow.unsupported(changed(definition, value, *path)) != []
