from __future__ import annotations

import pytest

from template.checks import calls, permissions
from template.checks.reading import (
    Template,
    as_list,
    of_type,
    translate,
    with_value,
    without,
)

STATEMENT = ("IngestFunctionRole", "Properties", "Policies", 0, "PolicyDocument", "Statement", 0)


def test_no_role_grants_more_than_single_actions_on_single_resources(translated: Template) -> None:
    assert permissions.wildcards(translated) == []


@pytest.mark.parametrize(
    ("value", "key", "finding"),
    [
        pytest.param(["kinesis:*"], "Action", "has a wildcard", id="all-actions"),
        pytest.param("*", "Resource", "granted on every resource", id="all-resources"),
        pytest.param("arn:aws:kinesis:::x", "Resource", "instead of a resource", id="literal-arn"),
        pytest.param(
            {"Fn::Sub": "${LakeBucket.Arn}/*"}, "Resource", "a whole bucket", id="whole-bucket"
        ),
        pytest.param(["kinesis:PutRecords"], "NotAction", "by exclusion", id="not-action"),
    ],
)
def test_a_wider_grant_is_found(
    translated: Template, value: object, key: str, finding: str
) -> None:
    wider = with_value(translated, value, *STATEMENT, key)

    assert finding in str(permissions.wildcards(wider))


def test_a_wide_grant_that_only_a_parameter_switches_on_is_found(translated: Template) -> None:
    hidden = {"Fn::If": ["HasKmsKey", {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, {}]}
    hidden["Fn::If"][2] = {"Ref": "AWS::NoValue"}

    wider = with_value(translated, hidden, *STATEMENT)

    assert "s3:*" in str(permissions.wildcards(wider))


def uses_of(template: Template, resource: str) -> dict[str, list[str]]:
    """Return what each role may do with a resource."""
    return {
        name: [*as_list(statement["Action"])]
        for name, role in of_type(template, "AWS::IAM::Role").items()
        for statement in permissions.statements(role)
        if resource in str(statement["Resource"])
    }


def test_functions_may_look_up_a_key_and_nothing_else(translated: Template) -> None:
    assert uses_of(translated, "KeysTable") == {
        "IngestFunctionRole": ["dynamodb:GetItem"],
        "QueryFunctionRole": ["dynamodb:GetItem"],
    }


def test_every_policy_is_written_in_its_role(translated: Template) -> None:
    assert permissions.foreign_policies(translated) == []


def test_policies_that_sam_adds_by_itself_are_found(template: Template) -> None:
    roleless = without(template, "ProcessFunction", "Properties", "Role")

    left_to_sam = translate(without(roleless, "ProcessFunctionRole"))

    assert "managed policies" in str(permissions.foreign_policies(left_to_sam))


def test_every_function_state_machine_and_schedule_has_a_role_of_its_own(
    translated: Template,
) -> None:
    assert permissions.shared_roles(translated) == []


def test_a_shared_role_is_found(translated: Template) -> None:
    borrowed = {"Fn::GetAtt": ["IngestFunctionRole", "Arn"]}

    shared = with_value(translated, borrowed, "QueryFunction", "Properties", "Role")

    assert "shares IngestFunctionRole" in str(permissions.shared_roles(shared))


def test_every_role_trusts_one_service(translated: Template) -> None:
    assert permissions.wide_trust(translated) == []


def test_a_role_for_anyone_is_found(translated: Template) -> None:
    path = ("IngestFunctionRole", "Properties", "AssumeRolePolicyDocument", "Statement", 0)

    assert permissions.wide_trust(with_value(translated, {"AWS": "*"}, *path, "Principal"))


def test_each_role_grants_what_the_code_calls_and_no_more(translated: Template) -> None:
    assert calls.unlike_calls(translated) == []


@pytest.mark.parametrize(
    ("actions", "finding"),
    [
        ([], "IngestFunction: does kinesis:PutRecords and may not"),
        (
            ["kinesis:PutRecords", "kinesis:PutRecord"],
            "IngestFunction: may kinesis:PutRecord and never does",
        ),
    ],
)
def test_a_role_unlike_its_code_is_found(
    actions: list[str], finding: str, translated: Template
) -> None:
    unlike = with_value(translated, actions, *STATEMENT, "Action")

    assert finding in calls.unlike_calls(unlike)
