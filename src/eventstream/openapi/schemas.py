"""JSON Schemas (draft 2020-12, as OpenAPI 3.1 has them) of what is sent and answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import core_schema

from common import models
from common.domain.windows import to_ms
from common.models import IngestEvent, parse_instant
from eventstream.openapi import library_bodies
from eventstream.openapi.answers import Answer
from eventstream.openapi.reading_answers import Page
from ingest.bodies import MAX_EVENTS
from ingest.validation import FIELD_OF

Json = dict[str, Any]

_LAST_MS = to_ms(parse_instant("9998-12-31T23:59:59.999Z"))
"""The last instant that an event may have."""


class _Generator(GenerateJsonSchema):
    """Writes no title for a field, and an instant as :func:`common.models.parse_instant` reads."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002
        return False

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> Json:  # noqa: ARG002
        return {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "integer", "minimum": 0, "maximum": _LAST_MS},
            ],
            "description": "RFC 3339 with a zone, or epoch milliseconds",
        }


def ref(name: str) -> Json:
    """Point to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def components() -> Json:
    """Return every schema of the document by its name."""
    found: list[type[BaseModel]] = [*_subclasses(Answer), models.AnomalyFinding]
    _, definitions = models_json_schema(
        [(each, "validation") for each in found if each is not Page],
        schema_generator=_Generator,
        ref_template="#/components/schemas/{model}",
    )
    schemas = {name: _untitled(each) for name, each in definitions["$defs"].items()}
    return dict(sorted((schemas | _events() | library_bodies.schemas()).items()))


def _subclasses(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)


def _untitled(schema: Mapping[str, Any]) -> Json:
    return {name: value for name, value in schema.items() if name != "title"}


def _events() -> Json:
    """Return the bodies of our own routes."""
    event = _untitled(IngestEvent.model_json_schema(schema_generator=_Generator))
    own = event["properties"]
    fields = {name: _spelled(name, own) for name in FIELD_OF}
    types = [name for name, field in FIELD_OF.items() if field == "event_type"]
    free = {name: each for name, each in fields.items() if name not in types}
    events = {"type": "array", "items": ref("IngestEvent"), "minItems": 1, "maxItems": MAX_EVENTS}
    typed = {**events, "items": ref("TypedEvent")}
    return {
        "IngestEvent": {
            **{name: value for name, value in event.items() if name != "required"},
            "properties": fields,
            "oneOf": [{"required": [name]} for name in types],
            "allOf": _once(),
        },
        "TypedEvent": {
            "description": "One event of the type in the path. Members that are no fields of an "
            "event become its properties.",
            "type": "object",
            "properties": free,
            "allOf": _once(),
        },
        "Record": {
            "description": "One event as JSON text; the partition key is ignored.",
            "type": "object",
            "properties": {
                "data": {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": ref("TypedEvent"),
                },
                "partitionKey": {"type": ["string", "null"]},
            },
            "required": ["data"],
            "additionalProperties": False,
        },
        "Events": events,
        "TypedEvents": typed,
        "EventEnvelope": _envelope("events", events),
        "TypedEventEnvelope": _envelope("events", typed),
        "RecordEnvelope": _envelope("records", {**events, "items": ref("Record")}),
    }


def _spelled(name: str, own: Mapping[str, Json]) -> Json:
    """Return the schema of a field under one of its names."""
    field = FIELD_OF[name]
    if name == field:
        return own[field]
    return {**own[field], "description": f"Another name of {field}; send one of them."}


def _once() -> list[Json]:
    """Say of each field with several names that an event has one of them only."""
    pairs = [(field, name) for name, field in FIELD_OF.items() if name != field]
    return [{"not": {"required": list(pair)}} for pair in pairs if pair[0] != "event_type"]


def _envelope(name: str, members: Json) -> Json:
    return {
        "type": "object",
        "properties": {name: members},
        "required": [name],
        "additionalProperties": False,
    }
