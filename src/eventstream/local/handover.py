"""Handing resources to parts of the local runtime, through the stack itself.

The emulator runs event source mappings and schedules with other rules than AWS does, so they are
not deployed as such. In their place the stack gets an SSM parameter that holds the resource's
properties as JSON. CloudFormation fills in names and ARNs, and whoever runs the resource reads
the parameter: everything goes through AWS's public interfaces.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from eventstream.local.intrinsics import is_intrinsic

ROOT = "/eventstream-local"
MAPPINGS = "mappings"
SCHEDULES = "schedules"


def folder(stack_name: str, kind: str) -> str:
    """Return the path under which a stack's handed over resources of one kind lie."""
    return f"{ROOT}/{stack_name}/{kind}/"


def as_parameter(
    stack_name: str, kind: str, logical_id: str, properties: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the SSM parameter resource that stands for another resource.

    Parameters
    ----------
    stack_name
        The stack.
    kind
        `MAPPINGS` or `SCHEDULES`.
    logical_id
        Logical id of the resource that is replaced; the parameter takes its place.
    properties
        Its properties; functions that need a resource may occur where text is wanted.
    """
    variables: dict[str, Any] = {}
    plain = _with_variables(dict(properties), variables)
    text = json.dumps({"LogicalId": logical_id, "Properties": plain}, sort_keys=True)
    return {
        "Type": "AWS::SSM::Parameter",
        "Properties": {
            "Name": folder(stack_name, kind) + logical_id,
            "Type": "String",
            "Value": {"Fn::Sub": [text, variables]} if variables else {"Fn::Sub": text},
        },
    }


def _with_variables(value: Any, variables: dict[str, Any]) -> Any:  # noqa: ANN401
    """Replace each function by ``${Vn}`` and remember it; escape what looks like a variable."""
    if is_intrinsic(value):
        name = f"V{len(variables)}"
        variables[name] = value
        return f"${{{name}}}"
    if isinstance(value, dict):
        return {key: _with_variables(each, variables) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_variables(each, variables) for each in value]
    return value.replace("${", "${!") if isinstance(value, str) else value


def read(ssm: Any, stack_name: str, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:  # noqa: ANN401
    """Yield the logical id and the properties of every handed over resource of a kind."""
    pages = ssm.get_paginator("get_parameters_by_path").paginate(
        Path=folder(stack_name, kind), Recursive=True
    )
    for page in pages:
        for parameter in page["Parameters"]:
            found = json.loads(parameter["Value"])
            yield found["LogicalId"], found["Properties"]
