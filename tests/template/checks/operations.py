"""What an operator lives by: alarms, tags, outputs, the schedule."""

from __future__ import annotations

from typing import Any

from template.checks.functions import variables
from template.checks.reading import ROOT, Template, of_type, target

TAGS = {"Project", "Environment", "Component"}

TAGGED = {
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Stage",
    "AWS::Athena::WorkGroup",
    "AWS::CloudWatch::Alarm",
    "AWS::DynamoDB::Table",
    "AWS::IAM::Role",
    "AWS::Kinesis::Stream",
    "AWS::Lambda::Function",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::StepFunctions::StateMachine",
}
UNTAGGED = {
    "AWS::Athena::NamedQuery",
    "AWS::Glue::Database",
    "AWS::Glue::Table",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Permission",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::Scheduler::Schedule",
}
"""Types that CloudFormation or the SAM transform cannot tag; none of them is billed."""


def untagged(template: Template) -> list[str]:
    """Find resources whose cost could not be told apart."""
    findings = []
    for name, resource in template["Resources"].items():
        kind = resource["Type"]
        if kind in UNTAGGED:
            continue
        if kind not in TAGGED:
            findings.append(f"{name}: say in this check whether {kind} takes tags")
            continue
        missing = sorted(TAGS - _tag_names(resource.get("Properties", {})))
        findings += [f"{name}: no tag {tag}" for tag in missing]
    return findings


def _tag_names(properties: dict[str, Any]) -> set[str]:
    tags = properties.get("Tags") or properties.get("Body", {}).get("tags", {})
    if isinstance(tags, dict):
        return set(tags)
    return {tag.get("Key") or tag["name"] for tag in tags}


def silent_alarms(template: Template) -> list[str]:
    """Find alarms that tell nobody, or that cry when nothing happens."""
    findings = []
    for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items():
        findings += [
            f"{name}: {key} do not go to the alarm topic"
            for key in ("AlarmActions", "OKActions")
            if [target(action) for action in alarm.get(key, [])] != ["AlarmTopic"]
        ]
        if not alarm.get("AlarmDescription", "").endswith("."):
            findings.append(f"{name}: no sentence that says what is wrong")
        if alarm.get("TreatMissingData") != "notBreaching":
            findings.append(f"{name}: quiet hours would raise it")
    return findings


def watched(template: Template) -> set[tuple[str, str, str]]:
    """Return what the alarms watch: namespace, metric, and the resource or value they name."""
    return {
        (alarm["Namespace"], alarm["MetricName"], _subject(alarm["Dimensions"]))
        for alarm in of_type(template, "AWS::CloudWatch::Alarm").values()
    }


def _subject(dimensions: list[dict[str, Any]]) -> str:
    [dimension] = dimensions
    return f"{dimension['Name']}={target(dimension['Value']) or dimension['Value']}"


def unwatched(template: Template) -> list[str]:
    """Find failures that no alarm would tell of."""
    functions = of_type(template, "AWS::Lambda::Function")
    per_function = {
        ("AWS/Lambda", metric, f"FunctionName={name}")
        for name in functions
        for metric in ("Errors", "Throttles")
    }
    mapping = "EventSourceMappingUUID=ProcessFunctionEventStreamMapping"
    machine = "StateMachineArn=EtlStateMachine"
    needed = per_function | {
        ("AWS/Lambda", "IteratorAge", "FunctionName=ProcessFunction"),
        ("AWS/Lambda", "OnFailureDestinationDeliveredEventCount", mapping),
        ("AWS/Lambda", "DestinationDeliveryFailures", "FunctionName=ProcessFunction"),
        ("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "StreamName=EventStream"),
        ("AWS/ApiGateway", "5xx", "ApiId=HttpApi"),
        ("AWS/States", "ExecutionsFailed", machine),
        ("AWS/States", "ExecutionsTimedOut", machine),
        ("EventStream", "EventsQuarantined", "service=process"),
        ("EventStream", "BatchesFailed", "service=process"),
    }
    return [f"no alarm on {missing}" for missing in sorted(needed - watched(template))]


def unheard_metrics(template: Template) -> list[str]:
    """Find alarms on metrics of our own that no function emits under that name."""
    findings = []
    services = {
        variables(function)["POWERTOOLS_SERVICE_NAME"]: variables(function)
        for function in of_type(template, "AWS::Lambda::Function").values()
    }
    for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items():
        if alarm["Namespace"].startswith("AWS/"):
            continue
        service = alarm["Dimensions"][0]["Value"]
        if service not in services:
            findings.append(f"{name}: no function is called {service}")
        elif services[service]["POWERTOOLS_METRICS_NAMESPACE"] != alarm["Namespace"]:
            findings.append(f"{name}: {service} emits into another namespace")
        elif f'"{alarm["MetricName"]}"' not in _source_of(service):
            findings.append(f"{name}: {service} emits no {alarm['MetricName']}")
    return findings


def _source_of(service: str) -> str:
    files = sorted((ROOT / "src" / service).rglob("*.py"))
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def vague_outputs(template: Template) -> list[str]:
    """Find outputs without description, and a first one that cannot be pasted."""
    outputs = template["Outputs"]
    findings = [f"{n}: no description" for n, out in outputs.items() if not out.get("Description")]
    values = [str(output["Value"]) for output in outputs.values()]
    if not values[0].rstrip("'}").endswith("/events"):
        findings.append("the first output is not the address to send events to")
    if not any(value.startswith("{'Fn::Sub': 'curl ") for value in values):
        findings.append("no output is a command to paste")
    return findings
