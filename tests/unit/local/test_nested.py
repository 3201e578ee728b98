"""Nested applications are put flat into the template around them."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from eventstream.local import function_template
from eventstream.local.errors import TemplateError
from eventstream.local.mappings import mapping_uuid
from eventstream.local.template import Plan, adapt

CHILD = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Parameters": {
        "Family": {"Type": "String", "AllowedPattern": "^[a-z]+$"},
        "Table": {"Type": "String"},
        "Shards": {"Type": "Number", "Default": 1, "MaxValue": 4},
        "Kept": {"Type": "String", "Default": "yes"},
    },
    "Conditions": {"IsKept": {"Fn::Equals": [{"Ref": "Kept"}, "yes"]}},
    "Mappings": {"Sizes": {"small": {"days": 3}}},
    "Resources": {
        "Stream": {
            "Type": "AWS::Kinesis::Stream",
            "Properties": {"ShardCount": {"Ref": "Shards"}},
        },
        "Log": {
            "Type": "AWS::Logs::LogGroup",
            "Condition": "IsKept",
            "DependsOn": "Stream",
            "Properties": {
                "LogGroupName": {"Fn::Sub": "/${AWS::StackName}/${Family}/${Stream}/${Table}"},
                "RetentionInDays": {"Fn::FindInMap": ["Sizes", "small", "days"]},
            },
        },
        "Function": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "Runtime": "python3.12",
                "CodeUri": "../src/demo",
                "Handler": "demo.handler.lambda_handler",
                "Environment": {"Variables": {"TABLE": {"Ref": "Table"}}},
                "Events": {
                    "Feed": {
                        "Type": "Kinesis",
                        "Properties": {
                            "Stream": {"Fn::GetAtt": ["Stream", "Arn"]},
                            "StartingPosition": "TRIM_HORIZON",
                        },
                    }
                },
            },
        },
    },
    "Outputs": {
        "Name": {"Value": {"Ref": "Stream"}},
        "Both": {"Value": {"Fn::Sub": "${Stream}/${Function}"}},
        "Table": {"Value": {"Ref": "Table"}},
        "Mapping": {"Value": {"Ref": "FunctionFeed"}},
    },
}
TABLE = {"Type": "AWS::DynamoDB::Table", "Properties": {}}


def app(**parameters: Any) -> dict[str, Any]:
    given = {"Family": "order", "Table": {"Ref": "Hot"}, **parameters}
    properties = {"Location": "modules/flow.yaml", "Parameters": given}
    return {"Type": "AWS::Serverless::Application", "Properties": properties}


def adapted(
    folder: Path, resources: dict[str, Any], child: dict[str, Any] = CHILD, **sections: Any
) -> Plan:
    sam = {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources, **sections}
    (folder / "template.yaml").write_text(yaml.safe_dump(sam))
    (folder / "modules").mkdir(exist_ok=True)
    (folder / "modules" / "flow.yaml").write_text(yaml.safe_dump(child))
    code = function_template.package(folder, "code")
    return adapt(folder, stack_name="stack", region="eu-west-1", code=code)


def resource(plan: Plan, name: str) -> Any:
    return plan.template["Resources"][name]["Properties"]


def output(plan: Plan, name: str) -> Any:
    return plan.template["Outputs"][name]["Value"]


def test_its_resources_get_its_name_before_theirs(tmp_path: Path) -> None:
    plan = adapted(tmp_path, {"OrderFlow": app(Shards=2), "Hot": TABLE})

    names = set(plan.template["Resources"])
    assert {"Hot", "OrderFlowStream", "OrderFlowLog", "OrderFlowFunction"} <= names
    assert "OrderFlow" not in names
    assert resource(plan, "OrderFlowStream") == {"ShardCount": "2"}
    assert plan.template["Resources"]["OrderFlowLog"]["DependsOn"] == ["OrderFlowStream"]


def test_names_parameters_mappings_and_the_stack_are_its_own(tmp_path: Path) -> None:
    plan = adapted(tmp_path, {"OrderFlow": app(), "Hot": TABLE})

    log = resource(plan, "OrderFlowLog")
    assert log["LogGroupName"] == {"Fn::Sub": "/stack-OrderFlow/order/${OrderFlowStream}/${Hot}"}
    assert log["RetentionInDays"] == 3


def test_what_the_template_around_it_gives_reaches_its_functions(tmp_path: Path) -> None:
    plan = adapted(tmp_path, {"OrderFlow": app(), "Hot": TABLE})

    variables = resource(plan, "OrderFlowFunction")["Environment"]["Variables"]
    assert variables["TABLE"] == {"Ref": "Hot"}


def test_two_of_a_kind_do_not_meet(tmp_path: Path) -> None:
    plan = adapted(
        tmp_path, {"OrderFlow": app(), "PageFlow": app(Family="page", Kept="no"), "Hot": TABLE}
    )

    assert {"OrderFlowStream", "PageFlowStream", "OrderFlowLog"} <= set(plan.template["Resources"])
    assert "PageFlowLog" not in plan.template["Resources"]


def test_its_mapping_is_handed_over_under_its_own_id(tmp_path: Path) -> None:
    outputs = {"Mapping": {"Value": {"Fn::GetAtt": ["OrderFlow", "Outputs.Mapping"]}}}

    plan = adapted(tmp_path, {"OrderFlow": app(), "Hot": TABLE}, Outputs=outputs)

    handed = resource(plan, "OrderFlowFunctionFeed")
    assert handed["Name"] == "/eventstream-local/stack/mappings/OrderFlowFunctionFeed"
    text, variables = handed["Value"]["Fn::Sub"]
    stream = json.loads(text)["Properties"]["EventSourceArn"]
    assert variables[stream[2:-1]] == {"Fn::GetAtt": ["OrderFlowStream", "Arn"]}
    assert output(plan, "Mapping") == mapping_uuid("stack", "OrderFlowFunctionFeed")


def test_its_outputs_go_where_the_template_around_it_refers_to_them(tmp_path: Path) -> None:
    outputs = {
        "Name": {"Value": {"Fn::GetAtt": ["OrderFlow", "Outputs.Name"]}},
        "Route": {"Value": {"Fn::Sub": "order=${OrderFlow.Outputs.Name}"}},
        "Both": {"Value": {"Fn::Sub": "${OrderFlow.Outputs.Both},more"}},
        "Table": {"Value": {"Fn::GetAtt": "OrderFlow.Outputs.Table"}},
    }

    plan = adapted(tmp_path, {"OrderFlow": app(), "Hot": TABLE}, Outputs=outputs)

    assert output(plan, "Name") == {"Ref": "OrderFlowStream"}
    assert output(plan, "Route") == {"Fn::Sub": "order=${OrderFlowStream}"}
    assert output(plan, "Both") == {
        "Fn::Sub": [
            "${Value0},more",
            {"Value0": {"Fn::Sub": "${OrderFlowStream}/${OrderFlowFunction}"}},
        ]
    }
    assert output(plan, "Table") == {"Ref": "Hot"}


def test_parameters_of_the_template_around_it_may_be_given_on(tmp_path: Path) -> None:
    plan = adapted(
        tmp_path,
        {"OrderFlow": app(Shards={"Ref": "Count"}), "Hot": TABLE},
        Parameters={"Count": {"Type": "Number", "Default": 3}},
    )

    assert resource(plan, "OrderFlowStream") == {"ShardCount": "3"}


def test_one_whose_condition_does_not_hold_is_not_there(tmp_path: Path) -> None:
    plan = adapted(
        tmp_path,
        {"OrderFlow": {**app(), "Condition": "Never"}, "Hot": TABLE},
        Conditions={"Never": {"Fn::Equals": [1, 2]}},
    )

    assert set(plan.template["Resources"]) == {"Hot"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param({"Shards": 9}, "parameter Shards='9' is refused", id="too many"),
        pytest.param({"Family": "Order"}, "parameter Family='Order'", id="pattern"),
        pytest.param({"Colour": "red"}, "no parameter Colour", id="unknown"),
    ],
)
def test_a_parameter_that_it_does_not_take_is_refused_by_its_name(
    given: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(TemplateError, match=rf"OrderFlow \(flow\.yaml\): .*{says}"):
        adapted(tmp_path, {"OrderFlow": app(**given), "Hot": TABLE})


def test_a_parameter_that_is_missing_is_named(tmp_path: Path) -> None:
    bare = {"Type": "AWS::Serverless::Application", "Properties": {"Location": "modules/flow.yaml"}}

    with pytest.raises(TemplateError, match=r"OrderFlow .*parameter Family has no default"):
        adapted(tmp_path, {"OrderFlow": bare})


def test_an_output_that_it_does_not_have_is_named(tmp_path: Path) -> None:
    outputs = {"X": {"Value": {"Fn::GetAtt": ["OrderFlow", "Outputs.Nothing"]}}}

    with pytest.raises(TemplateError, match=r"there is no OrderFlow\.Outputs\.Nothing"):
        adapted(tmp_path, {"OrderFlow": app(), "Hot": TABLE}, Outputs=outputs)


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({"Location": {"ApplicationId": "arn", "SemanticVersion": "1"}}, "Location is a file"),
        ({"Location": "https://bucket/flow.yaml"}, "Location is a file"),
        ({"Location": "modules/flow.yaml", "TimeoutInMinutes": 5}, "TimeoutInMinutes"),
        ({"Location": "modules/missing.yaml"}, "there is no .*missing.yaml"),
    ],
)
def test_an_application_that_cannot_be_run_is_refused(
    properties: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(TemplateError, match=f"OrderFlow.*{says}"):
        adapted(tmp_path, {"OrderFlow": {**app(), "Properties": properties}})


def test_a_nested_application_in_a_nested_one_is_refused(tmp_path: Path) -> None:
    inner = {**CHILD, "Resources": {**CHILD["Resources"], "Inner": app()}}  # type: ignore[dict-item]

    with pytest.raises(TemplateError, match=r"OrderFlow .*Inner: .*within nested ones"):
        adapted(tmp_path, {"OrderFlow": app(), "Hot": TABLE}, child=inner)
