import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml

from eventstream.local import function_template
from eventstream.local.errors import TemplateError
from eventstream.local.mappings import mapping_uuid
from eventstream.local.template import Plan, adapt

FUNCTION = {
    "Type": "AWS::Serverless::Function",
    "Properties": {
        "Runtime": "python3.12",
        "CodeUri": "src/demo",
        "Handler": "demo.handler.lambda_handler",
        "LoggingConfig": {"LogFormat": "JSON"},
        "Environment": {"Variables": {"SIZE": 5, "ON": True, "TABLE": {"Ref": "Table"}}},
    },
}
TABLE = {"Type": "AWS::DynamoDB::Table", "Properties": {}}
STREAM = {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 1}}
EVENT = {
    "Type": "Kinesis",
    "Properties": {"Stream": {"Fn::GetAtt": ["Stream", "Arn"]}, "StartingPosition": "LATEST"},
}


def adapted(tmp_path: Path, resources: dict[str, Any], **sections: Any) -> Plan:
    sam = {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources, **sections}
    (tmp_path / "template.yaml").write_text(yaml.safe_dump(sam))
    code = function_template.package(tmp_path, "code")
    return adapt(tmp_path, stack_name="stack", region="eu-west-1", code=code)


def the(plan: Plan, kind: str) -> dict[str, Any]:
    [found] = [each for each in plan.template["Resources"].values() if each["Type"] == kind]
    return dict(found["Properties"])


def with_event(**properties: Any) -> dict[str, Any]:
    event = {**EVENT, "Properties": {**EVENT["Properties"], **properties}}
    function = {**FUNCTION, "Properties": {**FUNCTION["Properties"], "Events": {"Feed": event}}}
    return {"Function": function, "Stream": STREAM, "Table": TABLE}


def test_a_function_runs_from_the_work_tree(tmp_path: Path) -> None:
    plan = adapted(tmp_path, {"Function": FUNCTION, "Table": TABLE})

    function = the(plan, "AWS::Lambda::Function")

    assert (function["Runtime"], function["Code"]["S3Bucket"]) == ("provided.al2023", "code")
    assert function["Handler"] == "demo.handler.lambda_handler"
    assert function["Environment"]["Variables"] == {
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_LEVEL": "INFO",
        "SIZE": "5",
        "ON": "true",
        "TABLE": {"Ref": "Table"},
    }


def test_the_package_is_a_script_that_starts_the_function_process(tmp_path: Path) -> None:
    package = function_template.package(tmp_path, "code")

    with zipfile.ZipFile(BytesIO(package.content)) as archive:
        script = archive.read("bootstrap").decode()

    assert script.startswith("#!/bin/sh\n")
    assert str(tmp_path / "src") in script
    assert "-m eventstream.local.runtime" in script
    assert package == function_template.package(tmp_path, "code")


def test_layers_are_left_out_and_say_why(tmp_path: Path) -> None:
    layer = {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "src/common"}}
    function = {
        **FUNCTION,
        "Properties": {**FUNCTION["Properties"], "Layers": [{"Ref": "Layer"}]},
    }

    plan = adapted(tmp_path, {"Function": function, "Table": TABLE, "Layer": layer})

    assert "Layers" not in the(plan, "AWS::Lambda::Function")
    assert any("work tree" in reason for reason in plan.left_out.values())


def test_a_mapping_is_handed_over_instead_of_deployed(tmp_path: Path) -> None:
    plan = adapted(tmp_path, with_event(BatchSize=7, MetricsConfig={"Metrics": ["EventCount"]}))

    parameter = the(plan, "AWS::SSM::Parameter")
    text, variables = parameter["Value"]["Fn::Sub"]
    handed = json.loads(text)

    assert parameter["Name"] == "/eventstream-local/stack/mappings/FunctionFeed"
    assert handed["Properties"]["BatchSize"] == 7
    assert variables[handed["Properties"]["EventSourceArn"][2:-1]] == {
        "Fn::GetAtt": ["Stream", "Arn"]
    }
    assert "AWS::Lambda::EventSourceMapping" not in str(plan.template)
    assert "FunctionFeed.MetricsConfig" in plan.left_out


@pytest.mark.parametrize(
    ("property_", "value"),
    [
        ("ParallelizationFactor", 2),
        ("FilterCriteria", {"Filters": [{"Pattern": "{}"}]}),
        ("TumblingWindowInSeconds", 30),
        ("BatchSize", 10_001),
        ("MaximumBatchingWindowInSeconds", 301),
    ],
)
def test_a_mapping_that_cannot_be_simulated_is_refused_by_name(
    tmp_path: Path, property_: str, value: Any
) -> None:
    with pytest.raises(TemplateError, match=f"FunctionFeed: .*{property_}"):
        adapted(tmp_path, with_event(**{property_: value}))


def test_the_reference_to_a_mapping_is_its_uuid(tmp_path: Path) -> None:
    outputs = {"Mapping": {"Value": {"Ref": "FunctionFeed"}}}

    plan = adapted(tmp_path, with_event(), Outputs=outputs)

    assert plan.template["Outputs"]["Mapping"]["Value"] == mapping_uuid("stack", "FunctionFeed")


def test_an_unknown_resource_type_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"Queue: .* AWS::MSK::Cluster"):
        adapted(tmp_path, {"Queue": {"Type": "AWS::MSK::Cluster", "Properties": {}}})


def test_even_a_resource_that_its_condition_leaves_out_must_be_known(tmp_path: Path) -> None:
    resource = {"Type": "AWS::MSK::Cluster", "Condition": "Never", "Properties": {}}

    with pytest.raises(TemplateError, match="AWS::MSK::Cluster"):
        adapted(tmp_path, {"Queue": resource}, Conditions={"Never": {"Fn::Equals": [1, 2]}})


def test_a_runtime_that_is_not_python_is_refused(tmp_path: Path) -> None:
    function = {**FUNCTION, "Properties": {**FUNCTION["Properties"], "Runtime": "nodejs22.x"}}

    with pytest.raises(TemplateError, match=r"Function: .*nodejs22\.x"):
        adapted(tmp_path, {"Function": function, "Table": TABLE})


def test_conditions_and_parameters_are_resolved(tmp_path: Path) -> None:
    table = {"Type": "AWS::DynamoDB::Table", "Condition": "IsBig", "Properties": {}}
    sections = {
        "Parameters": {"Size": {"Type": "Number", "Default": 1}},
        "Conditions": {"IsBig": {"Fn::Equals": [{"Ref": "Size"}, 2]}},
        "Outputs": {"Big": {"Condition": "IsBig", "Value": {"Ref": "Table"}}},
    }

    plan = adapted(tmp_path, {"Table": table, "Other": TABLE}, **sections)

    assert set(plan.template["Resources"]) == {"Other"}
    assert plan.template["Outputs"] == {}
    assert "Parameters" not in plan.template


def test_a_reference_to_something_left_out_is_refused(tmp_path: Path) -> None:
    query = {"Type": "AWS::Athena::NamedQuery", "Properties": {}}
    table = {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": {"Ref": "Query"}}}

    with pytest.raises(TemplateError, match="Table refers to Query"):
        adapted(tmp_path, {"Query": query, "Table": table})


def test_a_dependency_on_something_left_out_is_forgotten(tmp_path: Path) -> None:
    query = {"Type": "AWS::Athena::NamedQuery", "Properties": {}}

    plan = adapted(tmp_path, {"Query": query, "Table": {**TABLE, "DependsOn": ["Query"]}})

    assert "DependsOn" not in plan.template["Resources"]["Table"]


def machine(tmp_path: Path, definition: dict[str, Any], **substitutions: Any) -> dict[str, Any]:
    (tmp_path / "flow.json").write_text(json.dumps(definition))
    return {
        "Type": "AWS::Serverless::StateMachine",
        "Properties": {
            "DefinitionUri": "flow.json",
            "DefinitionSubstitutions": substitutions,
            "Role": "arn:aws:iam::000000000000:role/r",
        },
    }


def test_a_state_machine_carries_its_definition(tmp_path: Path) -> None:
    resources = {
        "Flow": machine(tmp_path, {"Table": "${Name}"}, Name={"Ref": "Table"}),
        "Table": TABLE,
    }

    plan = adapted(tmp_path, resources)

    definition = the(plan, "AWS::StepFunctions::StateMachine")["DefinitionString"]
    assert definition == {"Fn::Sub": ['{"Table": "${Name}"}', {"Name": {"Ref": "Table"}}]}


def test_a_placeholder_that_nothing_defines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"Flow: flow\.json uses \$\{Other\}"):
        adapted(tmp_path, {"Flow": machine(tmp_path, {"Table": "${Other}"}, Name="x")})


def test_a_missing_template_says_where_it_was_looked_for(tmp_path: Path) -> None:
    code = function_template.package(tmp_path, "code")

    with pytest.raises(TemplateError, match=r"template\.yaml: run this inside the project"):
        adapt(tmp_path, stack_name="stack", region="us-east-1", code=code)
