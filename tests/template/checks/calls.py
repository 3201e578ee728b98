"""Which AWS actions a function's code can call, read off the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from template.checks.functions import CONFIGS
from template.checks.permissions import statements
from template.checks.reading import ROOT, Template, as_list, of_type, target

SOURCE = ROOT / "src"

ACTIONS = {
    "batch_get_item": "dynamodb:BatchGetItem",
    "get_item": "dynamodb:GetItem",
    "get_metric_statistics": "cloudwatch:GetMetricStatistics",
    "get_object": "s3:GetObject",
    "list_objects_v2": "s3:ListBucket",
    "publish": "sns:Publish",
    "put_item": "dynamodb:PutItem",
    "put_object": "s3:PutObject",
    "put_records": "kinesis:PutRecords",
    "query": "dynamodb:Query",
    "transact_write_items": "dynamodb:PutItem",
    "update_item": "dynamodb:UpdateItem",
}
"""The action that IAM checks for a method of a client."""

CALLED_BY_AWS = {
    "kinesis:DescribeStream",
    "kinesis:DescribeStreamSummary",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
"""What Lambda, KMS, logs and X-Ray do in a role's name without a line of ours."""


def _modules(path: Path, seen: set[Path]) -> set[Path]:
    """Return a module and every module of ours that it imports, directly or not."""
    if path in seen:
        return seen
    seen.add(path)
    for name in _imports(ast.parse(path.read_text(encoding="utf-8"))):
        inner = SOURCE / name.replace(".", "/")
        for found in (inner.with_suffix(".py"), inner / "__init__.py"):
            if found.exists():
                _modules(found, seen)
    return seen


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _client_calls(tree: ast.Module) -> Iterator[str]:
    """Yield the client methods that a module calls, paginated ones by their own name."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = node.func.value
        if not (isinstance(owner, ast.Attribute) and owner.attr == "_client"):
            continue
        if node.func.attr == "get_paginator":
            yield str(ast.literal_eval(node.args[0]))
        elif node.func.attr != "exceptions":
            yield node.func.attr


def called(function: str) -> set[str]:
    """Return the actions that a function's code can call."""
    package = function.removesuffix("Function").lower()
    modules = _modules(SOURCE / package / "handler.py", set())
    methods = {
        method
        for path in modules
        for method in _client_calls(ast.parse(path.read_text(encoding="utf-8")))
    }
    return {ACTIONS.get(method, f"an unknown call {method}") for method in methods}


def granted(template: Template, function: str) -> set[str]:
    """Return the actions that a function's role grants to its own code.

    The failure bucket is not the code's: Lambda writes there in the function's name.
    """
    functions = of_type(template, "AWS::Lambda::Function")
    role = of_type(template, "AWS::IAM::Role")[str(target(functions[function]["Role"]))]
    actions = {
        action
        for statement in statements(role)
        if target(as_list(statement["Resource"])[0]) != "FailureBucket"
        for action in as_list(statement["Action"])
    }
    return actions - CALLED_BY_AWS


def unlike_calls(template: Template) -> list[str]:
    """Find actions that are granted and never called, or called and never granted."""
    findings = []
    for function in CONFIGS:
        may, does = granted(template, function), called(function)
        findings += [f"{function}: may {a} and never does" for a in sorted(may - does)]
        findings += [f"{function}: does {a} and may not" for a in sorted(does - may)]
    return findings
