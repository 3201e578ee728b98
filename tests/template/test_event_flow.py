from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest

from eventstream.local import function_template, handover
from eventstream.local.template import Plan, adapt
from fakes import second_flow
from template.checks import event_flow, operations, parameters, permissions
from template.checks.reading import ROOT, Template, translate, with_value, without
from template.test_lint import findings as lint_findings

MAPPING = ("ProcessFunctionStreamMapping", "Properties")


@pytest.fixture(scope="session")
def module() -> Template:
    return translate(event_flow.read_module())


def test_the_mapping_is_the_templates(module: Template, translated: Template) -> None:
    assert event_flow.other_mapping(module, translated) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ParallelizationFactor", 2),
        ("StartingPosition", "LATEST"),
        ("FunctionResponseTypes", []),
        ("BisectBatchOnFunctionError", False),
        ("MaximumRetryAttempts", 3),
        ("MaximumRecordAgeInSeconds", -1),
        ("MetricsConfig", {"Metrics": []}),
        ("FilterCriteria", {"Filters": []}),
        ("TumblingWindowInSeconds", 60),
        ("DestinationConfig", {"OnFailure": {"Destination": {"Ref": "AlarmTopicArn"}}}),
        ("EventSourceArn", "arn:aws:kinesis:eu-west-1:111122223333:stream/other"),
    ],
)
def test_another_mapping_is_found(
    key: str, value: object, module: Template, translated: Template
) -> None:
    changed = with_value(module, value, *MAPPING, key)

    assert event_flow.other_mapping(changed, translated) != []


def test_a_factor_of_more_than_one_in_both_is_found_by_the_templates_own_check(
    translated: Template,
) -> None:
    from template.checks import stream

    root = ("ProcessFunctionEventStreamMapping", "Properties", "ParallelizationFactor")

    assert stream.unsafe_mappings(with_value(translated, 2, *root)) != []


def test_parameters_of_one_name_have_one_default_and_the_same_bounds(
    module: Template, translated: Template
) -> None:
    assert event_flow.other_parameters(module, translated) == []

    changed = copy.deepcopy(module)
    changed["Parameters"]["MaximumRecordAgeSeconds"]["MaxValue"] = 604_800
    assert event_flow.other_parameters(changed, translated) != []


def test_the_function_has_the_settings_of_the_default_flows(
    module: Template, translated: Template
) -> None:
    assert event_flow.other_function(module, translated) == []

    path = ("ProcessFunction", "Properties", "Environment", "Variables", "HOT_TABLE")
    assert event_flow.other_function(without(module, *path), translated) != []


def test_the_role_has_the_rights_of_the_default_flows(
    module: Template, translated: Template
) -> None:
    assert event_flow.other_rights(module, translated) == []
    assert permissions.wildcards(module) == []
    assert permissions.wide_trust(module) == []
    assert permissions.foreign_policies(module) == []


def test_the_layer_is_the_templates(module: Template, translated: Template) -> None:
    ours, theirs = (_layer(each) for each in (module, translated))

    assert ours == theirs


def _layer(template: Template) -> dict[str, object]:
    [resource] = (
        each
        for each in template["Resources"].values()
        if each["Type"] == "AWS::Lambda::LayerVersion"
    )
    hidden = {"Content", "LayerName"}
    properties = {k: v for k, v in resource["Properties"].items() if k not in hidden}
    return {"properties": properties, "metadata": resource.get("Metadata")}


def test_the_stream_is_as_the_default_one(module: Template, translated: Template) -> None:
    assert event_flow.other_stream(module, translated) == []


def test_the_alarms_are_set_as_their_namesakes_and_tell_the_same_topic(
    module: Template, translated: Template
) -> None:
    assert event_flow.other_alarms(module, translated) == []

    changed = with_value(module, 10, "IteratorAgeAlarm", "Properties", "Threshold")
    assert event_flow.other_alarms(changed, translated) != []


def test_nothing_of_a_flow_fails_unheard(module: Template) -> None:
    watched = {(namespace, metric) for namespace, metric, _ in operations.watched(module)}

    assert watched == {
        ("AWS/Lambda", "IteratorAge"),
        ("AWS/Lambda", "Errors"),
        ("AWS/Lambda", "Throttles"),
        ("AWS/Lambda", "OnFailureDestinationDeliveredEventCount"),
        ("AWS/Lambda", "DestinationDeliveryFailures"),
        ("AWS/Kinesis", "WriteProvisionedThroughputExceeded"),
    }


def test_everything_is_tagged(module: Template) -> None:
    assert operations.untagged(module) == []


def test_every_parameter_is_described_bounded_and_grouped() -> None:
    required = "no default for a development stack"
    vague = parameters.vague_parameters(event_flow.read_module())

    wiring = {line.split(":")[0] for line in vague if line.endswith(required)}
    assert [line for line in vague if not line.endswith(required)] == []
    assert wiring == {
        "Family",
        "LakeBucket",
        "FailureBucket",
        "HotTable",
        "AggregatesTable",
        "SessionsTable",
        "EventIndexTable",
        "AlarmTopicArn",
    }


def test_the_module_is_clean(module: Template) -> None:
    assert lint_findings(module) == []


def test_the_page_explains_every_parameter_with_its_default(module: Template) -> None:
    page = second_flow.DOCS.read_text(encoding="utf-8")
    explained = dict(re.findall(r"^\| `(\w+)` \| `?([^`|]+?)`? \|", page, re.MULTILINE))

    defaults = {
        name: str(parameter.get("Default", "required")) or "(empty)"
        for name, parameter in module["Parameters"].items()
    }
    assert explained == defaults


def test_a_flow_takes_ten_lines_and_telling_of_it_three() -> None:
    flow, lines = second_flow.blocks()

    assert len(flow.splitlines()) <= 10
    assert len(lines.splitlines()) <= 3


@pytest.fixture(scope="session")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    project = second_flow.project(tmp_path_factory.mktemp("flows") / "project")
    code = function_template.package(project, "code")
    return adapt(project, stack_name="stack", region="us-east-1", code=code)


def variables(plan: Plan, function: str) -> dict[str, object]:
    found: dict[str, object] = plan.template["Resources"][function]["Properties"]["Environment"]
    return found["Variables"]  # type: ignore[return-value]


def test_a_second_flow_is_put_flat_beside_the_first(plan: Plan) -> None:
    resources = plan.template["Resources"]

    kinds = [each["Type"] for each in resources.values()]
    assert kinds.count("AWS::Kinesis::Stream") == 2
    assert "AWS::Serverless::Application" not in kinds
    handed = {
        each["Properties"]["Name"]
        for each in resources.values()
        if each["Type"] == "AWS::SSM::Parameter"
    }
    folder = handover.folder("stack", handover.MAPPINGS)
    assert {one for one in handed if one.startswith(folder)} == {
        folder + "ProcessFunctionEventStreamMapping",
        folder + "OrderFlowProcessFunctionStreamMapping",
    }


def test_a_second_flow_writes_to_the_same_stores(plan: Plan) -> None:
    ours, theirs = (
        variables(plan, name) for name in ("OrderFlowProcessFunction", "ProcessFunction")
    )

    assert ours == theirs


def test_ingest_and_aggregate_are_told_of_a_second_flow(plan: Plan) -> None:
    assert variables(plan, "IngestFunction")["STREAM_ROUTES"] == {
        "Fn::Sub": "order=${OrderFlowStream}"
    }
    assert variables(plan, "AggregateFunction")["FLOWS"] == {
        "Fn::Sub": "${OrderFlowStream}/${OrderFlowProcessFunction}"
    }
    role = plan.template["Resources"]["IngestFunctionRole"]
    assert "OrderFlowStream" in str(role)


def test_a_template_with_a_second_flow_is_one_that_sam_takes(tmp_path: Path) -> None:
    from samtranslator.yaml_helper import yaml_parse

    parsed = yaml_parse(second_flow.with_second_flow())
    translated = translate(parsed)

    nested = translated["Resources"]["OrderFlow"]
    assert nested["Type"] == "AWS::CloudFormation::Stack"
    assert set(nested["Properties"]["Parameters"]) <= set(event_flow.read_module()["Parameters"])
    # W3002: a Location that is a file is uploaded by `sam package`.
    assert [line for line in lint_findings(translated) if not line.startswith("W3002")] == []


def test_a_flow_is_given_every_setting_that_must_be_the_pipelines() -> None:
    from samtranslator.yaml_helper import yaml_parse

    module, root = event_flow.read_module(), yaml_parse(second_flow.with_second_flow())
    given = root["Resources"]["OrderFlow"]["Properties"]["Parameters"]
    function = module["Resources"]["ProcessFunction"]["Properties"]
    used = {
        value["Ref"]
        for value in function["Environment"]["Variables"].values()
        if isinstance(value, dict)
    } - {"LogLevel"}
    shared = {"Environment", "Architecture", "KmsKeyArn", *(used & set(root["Parameters"]))}

    assert {name: given.get(name) for name in shared} == {name: {"Ref": name} for name in shared}
    assert used <= set(given)


def test_the_root_template_names_no_flow_by_itself() -> None:
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")

    assert "AWS::Serverless::Application" not in text
