"""Who may do what: roles of one's own, single actions, single resources."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from template.checks.reading import Template, as_list, branches, of_type, target

WITHOUT_RESOURCES = {
    "cloudwatch:GetMetricStatistics",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
"""Actions that IAM grants on ``*`` or not at all; everything else names its resource."""


def statements(role: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every statement that a role can hold."""
    for policy in role.get("Policies", []):
        for statement in policy["PolicyDocument"]["Statement"]:
            yield from branches(statement)


def wildcards(template: Template) -> list[str]:
    """Find grants that are wider than one action on one resource."""
    findings = []
    for name, role in of_type(template, "AWS::IAM::Role").items():
        for statement in statements(role):
            actions = as_list(statement["Action"])
            where = f"{name}.{statement.get('Sid', '?')}"
            findings += [f"{where}: action {a} has a wildcard" for a in actions if "*" in a]
            findings += [f"{where}: {why}" for why in _wide_resources(statement, actions)]
            if "NotAction" in statement or "NotResource" in statement:
                findings.append(f"{where}: grants by exclusion")
    return findings


def _wide_resources(statement: dict[str, Any], actions: list[str]) -> Iterator[str]:
    for resource in as_list(statement["Resource"]):
        if resource == "*":
            for action in sorted(set(actions) - WITHOUT_RESOURCES):
                yield f"{action} is granted on every resource"
        elif isinstance(resource, str):
            yield f"names {resource} instead of a resource of this template"
        elif "Fn::Sub" in resource and as_list(resource["Fn::Sub"])[0].endswith("Arn}/*"):
            yield f"{resource['Fn::Sub']} is a whole bucket instead of a prefix"


def foreign_policies(template: Template) -> list[str]:
    """Find policies that are written elsewhere, or that SAM would add by itself."""
    roles = of_type(template, "AWS::IAM::Role").items()
    findings = [f"{name}: has managed policies" for name, role in roles if _is_managed(role)]
    stray = of_type(template, "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
    return findings + [f"{name}: a policy outside its role" for name in stray]


def _is_managed(role: dict[str, Any]) -> bool:
    return bool(role.get("ManagedPolicyArns"))


def shared_roles(template: Template) -> list[str]:
    """Find functions, state machines and schedules that have no role to themselves."""
    findings: list[str] = []
    owners: dict[str, str] = {}
    places = {
        "AWS::Lambda::Function": ("Role",),
        "AWS::StepFunctions::StateMachine": ("RoleArn",),
        "AWS::Scheduler::Schedule": ("Target", "RoleArn"),
    }
    for kind, path in places.items():
        for name, properties in of_type(template, kind).items():
            value: Any = properties
            for step in path:
                value = value.get(step, {})
            role = target(value)
            if role not in template["Resources"]:
                findings.append(f"{name}: its role is not in this template")
            elif role in owners:
                findings.append(f"{name}: shares {role} with {owners[role]}")
            owners[str(role)] = name
    return findings


def wide_trust(template: Template) -> list[str]:
    """Find roles that something else than one AWS service may take on."""
    findings = []
    for name, role in of_type(template, "AWS::IAM::Role").items():
        for statement in role["AssumeRolePolicyDocument"]["Statement"]:
            principal = statement["Principal"]
            if set(principal) != {"Service"} or len(as_list(principal["Service"])) != 1:
                findings.append(f"{name}: can be assumed by {principal}")
    return findings
