"""The module of event flows: the same in all that exactness hangs on as the default flow."""

from __future__ import annotations

from typing import Any

from samtranslator.yaml_helper import yaml_parse

from template.checks.functions import variables
from template.checks.permissions import statements
from template.checks.reading import ROOT, Template, as_list, of_type

MODULE = ROOT / "modules" / "event-flow.yaml"
_OWN = {"EventSourceArn", "FunctionName", "DestinationConfig"}
"""Properties of a mapping that name the flow's own resources."""
_WORDS = {"Description", "ConstraintDescription"}


def read_module() -> Template:
    """Parse the module as it is written."""
    parsed: Template = yaml_parse(MODULE.read_text(encoding="utf-8"))
    return parsed


def _differences(what: str, ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    return [
        f"{what}: {key} is {ours.get(key)} in the module and {theirs.get(key)} in the template"
        for key in sorted(set(ours) | set(theirs))
        if ours.get(key) != theirs.get(key)
    ]


def other_mapping(module: Template, template: Template) -> list[str]:
    """Find settings of the event source mapping that module and template don't share."""
    found = [of_type(each, "AWS::Lambda::EventSourceMapping") for each in (module, template)]
    if [len(each) for each in found] != [1, 1]:
        return ["each must have one mapping"]
    ours, theirs = (
        {k: v for k, v in m.items() if k not in _OWN} for e in found for m in e.values()
    )
    findings = _differences("mapping", ours, theirs)
    [mapping] = found[0].values()
    destination = mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    if destination != {"Fn::Sub": "arn:${AWS::Partition}:s3:::${FailureBucket}"}:
        findings.append("mapping: failed batches do not go to the failure bucket")
    if mapping["EventSourceArn"] != {"Fn::GetAtt": ["Stream", "Arn"]}:
        findings.append("mapping: reads another stream than the flow's own")
    return findings


def other_parameters(module: Template, template: Template) -> list[str]:
    """Find parameters of one name with other bounds or another default."""
    findings = []
    for name, parameter in module["Parameters"].items():
        theirs = template["Parameters"].get(name)
        if theirs is not None:
            findings += _differences(name, _bounds(parameter), _bounds(theirs))
    return findings


def _bounds(parameter: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in parameter.items() if key not in _WORDS}


def other_function(module: Template, template: Template) -> list[str]:
    """Find what the flow's function has otherwise than the default flow's, by default."""
    ours = of_type(module, "AWS::Lambda::Function")["ProcessFunction"]
    theirs = of_type(template, "AWS::Lambda::Function")["ProcessFunction"]
    findings = _differences("variables", variables(ours), variables(theirs))
    for key in ("Handler", "Runtime", "TracingConfig", "LoggingConfig"):
        findings += _differences("function", {key: ours.get(key)}, {key: theirs.get(key)})
    for key in ("MemorySize", "Timeout"):
        default = module["Parameters"][key]["Default"]
        findings += _differences("function", {key: default}, {key: theirs.get(key)})
    return findings


def other_rights(module: Template, template: Template) -> list[str]:
    """Find actions that one of the two roles has and the other hasn't."""
    ours, theirs = (_actions(each) for each in (module, template))
    return _differences("role", ours, theirs)


def _actions(template: Template) -> dict[str, Any]:
    role = of_type(template, "AWS::IAM::Role")["ProcessFunctionRole"]
    return {each["Sid"]: sorted(as_list(each["Action"])) for each in statements(role)}


def other_stream(module: Template, template: Template) -> list[str]:
    """Find settings of the stream that module and template don't share."""
    ours = of_type(module, "AWS::Kinesis::Stream")["Stream"]
    theirs = of_type(template, "AWS::Kinesis::Stream")["EventStream"]
    own = {"Tags", "DesiredShardLevelMetrics"}
    return _differences(
        "stream",
        {key: value for key, value in ours.items() if key not in own},
        {key: value for key, value in theirs.items() if key not in own},
    )


def other_alarms(module: Template, template: Template) -> list[str]:
    """Find alarms that are set otherwise than their namesake, or tell somebody else."""
    findings = []
    theirs = of_type(template, "AWS::CloudWatch::Alarm")
    own = {"AlarmDescription", "Dimensions", "AlarmActions", "OKActions", "Tags"}
    for name, alarm in of_type(module, "AWS::CloudWatch::Alarm").items():
        if name not in theirs:
            findings.append(f"{name}: has no namesake in the template, and so no runbook")
            continue
        settings = ({k: v for k, v in a.items() if k not in own} for a in (alarm, theirs[name]))
        findings += _differences(name, *settings)
        findings += [
            f"{name}: {key} do not go to the alarm topic"
            for key in ("AlarmActions", "OKActions")
            if alarm.get(key) != [{"Ref": "AlarmTopicArn"}]
        ]
    return findings
