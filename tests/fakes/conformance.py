"""Holding the API to its description: schemathesis over a closed copy of the document."""

from __future__ import annotations

import copy
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from fakes.whole_api import WholeApi

Json = dict[str, Any]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
FAILING_CHECKS = CHECKS[1:]
"""For a world in which 503 is the right answer."""


def closed(document: Json) -> Json:
    """Return a copy in which no answer may have a member that is not described.

    The published document is open: a new member of an answer breaks no client. Here it is one
    that nobody described.
    """
    made = copy.deepcopy(document)
    schemas = made["components"]["schemas"]
    narrowed = {name for name in schemas if name.endswith("Problem")}
    for name in _answered(made) - narrowed:
        if "properties" in schemas[name]:
            schemas[name]["additionalProperties"] = False
    for response in _responses(made):
        for content in response.get("content", {}).values():
            if "allOf" in content["schema"]:
                content["schema"]["unevaluatedProperties"] = False
    return made


def _responses(document: Json) -> list[Json]:
    own = [
        response
        for item in document["paths"].values()
        for operation in item.values()
        for response in operation["responses"].values()
    ]
    return [*own, *document["components"]["responses"].values()]


def _answered(document: Json) -> set[str]:
    """Name the schemas that an answer reaches."""
    schemas, found = document["components"]["schemas"], set[str]()
    waiting: list[object] = list(_responses(document))
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting.extend(each)
        elif isinstance(each, dict):
            name = str(each.get("$ref", "")).removeprefix("#/components/schemas/")
            if name in schemas and name not in found:
                found.add(name)
                waiting.append(schemas[name])
            waiting.extend(each.values())
    return found


def operations(document: Json, api: WholeApi) -> dict[str, APIOperation]:
    """Return the operations of a document, as ``POST /events``, with the API behind them."""
    made = closed(document)
    # The tool cannot make bodies of these rules together with the others; they are tried elsewhere.
    del made["components"]["schemas"]["IngestEvent"]["allOf"]
    schema = schemathesis.openapi.from_dict(made)
    schema.app = api
    found = [each.ok() for each in schema.get_all_operations()]
    return {f"{each.method.upper()} {each.path}": each for each in found}


def explore(operation: APIOperation, mode: GenerationMode, examples: int, checks: Any) -> None:
    """Call an operation with made-up requests, the same each time, and check every answer."""

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def run(case: Case) -> None:
        case.call_and_validate(checks=checks)

    run()
