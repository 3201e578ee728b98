from typing import Any

import pytest

from eventstream.local.errors import TemplateError
from eventstream.local.intrinsics import Evaluator, references

CONDITIONS = {
    "IsProd": {"Fn::Equals": [{"Ref": "Environment"}, "prod"]},
    "HasDays": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Days"}, 0]}]},
    "Both": {"Fn::And": [{"Condition": "HasDays"}, {"Fn::Not": [{"Condition": "IsProd"}]}]},
    "Either": {"Fn::Or": [{"Condition": "IsProd"}, {"Condition": "HasDays"}]},
    "Loop": {"Fn::Not": [{"Condition": "Loop"}]},
    "Odd": {"Fn::Contains": [1]},
}
STREAM_ARN = {"Fn::GetAtt": ["Stream", "Arn"]}


def evaluator() -> Evaluator:
    return Evaluator(
        parameters={"Environment": "dev", "Days": "90", "Origins": "a,b"},
        pseudo={"AWS::Region": "eu-west-1", "AWS::StackName": "my-stack"},
        conditions=CONDITIONS,
        mappings={"Sizes": {"dev": {"Memory": 512}}},
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"Ref": "Environment"}, "dev", id="parameter"),
        pytest.param({"Ref": "AWS::Region"}, "eu-west-1", id="pseudo parameter"),
        pytest.param({"Ref": "Stream"}, {"Ref": "Stream"}, id="a resource is left"),
        pytest.param({"Fn::GetAtt": "Stream.Arn"}, STREAM_ARN, id="attribute in text form"),
        pytest.param({"Fn::If": ["IsProd", 1, 2]}, 2, id="if"),
        pytest.param({"Fn::Split": [",", {"Ref": "Origins"}]}, ["a", "b"], id="split"),
        pytest.param({"Fn::Select": ["1", ["x", "y"]]}, "y", id="select"),
        pytest.param(
            {"Fn::Join": ["_", {"Fn::Split": ["-", {"Ref": "AWS::StackName"}]}]},
            "my_stack",
            id="join of a split",
        ),
        pytest.param({"Fn::FindInMap": ["Sizes", {"Ref": "Environment"}, "Memory"]}, 512, id="map"),
        pytest.param({"Fn::Base64": {"Fn::Sub": "${Days}"}}, "OTA=", id="base64"),
        pytest.param({"Fn::Sub": "cron(${Days} *)"}, "cron(90 *)", id="sub"),
        pytest.param(
            {"Fn::Sub": "${AWS::Region} ${Stream.Arn}"},
            {"Fn::Sub": "eu-west-1 ${Stream.Arn}"},
            id="sub with a resource",
        ),
        pytest.param(
            {"Fn::Sub": ["${a} ${b}", {"a": {"Ref": "Days"}, "b": STREAM_ARN}]},
            {"Fn::Sub": ["90 ${b}", {"b": STREAM_ARN}]},
            id="sub with own variables",
        ),
        pytest.param({"Fn::Sub": "${!year}"}, "${year}", id="escaped"),
        pytest.param(
            {"Fn::Sub": "${!year} ${Stream}"}, {"Fn::Sub": "${!year} ${Stream}"}, id="kept escape"
        ),
        pytest.param([1, {"Ref": "AWS::NoValue"}, 2], [1, 2], id="no value in a list"),
        pytest.param({"a": {"Ref": "AWS::NoValue"}, "b": 1}, {"b": 1}, id="no value in an object"),
    ],
)
def test_a_function_is_worked_out_as_far_as_parameters_allow(value: Any, expected: Any) -> None:
    assert evaluator().resolve(value, "Here") == expected


@pytest.mark.parametrize(
    ("name", "expected"), [("IsProd", False), ("HasDays", True), ("Both", True), ("Either", True)]
)
def test_conditions_are_decided(name: str, expected: bool) -> None:
    assert evaluator().condition(name) is expected


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({"Fn::ImportValue": "x"}, "Fn::ImportValue"),
        ({"Fn::FindInMap": ["Sizes", "prod", "Memory"]}, "Sizes.prod.Memory"),
        ({"Fn::If": ["Unknown", 1, 2]}, "Unknown"),
        ({"Fn::If": ["Loop", 1, 2]}, "refers to itself"),
        ({"Fn::If": ["Odd", 1, 2]}, "Fn::Contains"),
    ],
)
def test_what_is_not_known_is_refused_by_name(value: Any, named: str) -> None:
    with pytest.raises(TemplateError, match=named):
        evaluator().resolve({"Properties": value}, "Here")


def test_the_place_of_an_unknown_function_is_told() -> None:
    with pytest.raises(TemplateError, match=r"Thing\.Properties\.List\[1\]"):
        evaluator().resolve({"Properties": {"List": [1, {"Fn::Cidr": []}]}}, "Thing")


def test_references_are_found_wherever_they_stand() -> None:
    value = {
        "a": [{"Ref": "One"}],
        "b": {"Fn::Sub": ["${Two.Arn} ${local} ${!not} ${AWS::Region}", {"local": STREAM_ARN}]},
    }

    assert references(value) == {"One", "Two", "Stream", "AWS::Region"}
