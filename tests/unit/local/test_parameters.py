from typing import Any

import pytest

from eventstream.local.errors import TemplateError
from eventstream.local.parameters import resolve

DECLARED: dict[str, Any] = {
    "BatchSize": {"Type": "Number", "Default": 100, "MinValue": 1, "MaxValue": 1000},
    "Mode": {"Type": "String", "Default": "A", "AllowedValues": ["A", "B"]},
    "Name": {
        "Type": "String",
        "Default": "dev",
        "AllowedPattern": "[a-z]+",
        "ConstraintDescription": "must be lower-case letters",
    },
    "Short": {"Type": "String", "Default": "ab", "MinLength": 1, "MaxLength": 3},
    "List": {"Type": "CommaDelimitedList", "Default": "a,b"},
}


def test_defaults_are_taken_as_text() -> None:
    found = resolve(DECLARED, {})

    assert found == {"BatchSize": "100", "Mode": "A", "Name": "dev", "Short": "ab", "List": "a,b"}


def test_an_override_replaces_a_default() -> None:
    assert resolve(DECLARED, {"BatchSize": "7"})["BatchSize"] == "7"


@pytest.mark.parametrize(
    ("override", "rule"),
    [
        pytest.param({"BatchSize": "0"}, "at least 1", id="minimum"),
        pytest.param({"BatchSize": "1001"}, "at most 1000", id="maximum"),
        pytest.param({"BatchSize": "many"}, "must be a number", id="number"),
        pytest.param({"Mode": "C"}, "one of A, B", id="allowed values"),
        pytest.param({"Name": "Dev"}, "must be lower-case letters", id="its own description"),
        pytest.param({"Name": "devX"}, "must be lower-case letters", id="the whole must match"),
        pytest.param({"Short": ""}, "at least 1 char", id="shortest"),
        pytest.param({"Short": "abcd"}, "at most 3 char", id="longest"),
        pytest.param({"Unknown": "1"}, "no parameter Unknown; it has BatchSize", id="unknown"),
    ],
)
def test_a_value_that_breaks_its_rule_is_refused(override: dict[str, str], rule: str) -> None:
    with pytest.raises(TemplateError, match=rule):
        resolve(DECLARED, override)


def test_a_parameter_without_a_value_is_asked_for() -> None:
    with pytest.raises(TemplateError, match="--param Key=VALUE"):
        resolve({"Key": {"Type": "String"}}, {})


def test_a_type_that_aws_would_look_up_is_refused() -> None:
    with pytest.raises(TemplateError, match="AWS::SSM::Parameter"):
        resolve({"Key": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "x"}}, {})
