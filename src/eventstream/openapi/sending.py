"""The operations that take events, from the table of paths in :mod:`ingest.routes`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from common.models import EVENT_TYPE_PATTERN
from eventstream.openapi import problems
from eventstream.openapi.examples import Exchange, named
from eventstream.openapi.library_bodies import message_of
from eventstream.openapi.schemas import ref
from ingest.payload import MAX_BODY_BYTES
from ingest.routes import PATHS, PATTERNS, Target, find

Json = dict[str, Any]

_ANY_TYPE = "any"
_TYPE: Json = {
    "name": "type",
    "in": "path",
    "required": True,
    "description": "Type of every event of the request; `batch` is none.",
    "schema": {"type": "string", "pattern": EVENT_TYPE_PATTERN},
    "example": "orders",
}
_IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The ids of events without one are made from it and from what they say.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[!-~]+$"},
}
PARAMETERS: Mapping[str, Json] = {
    "AnonymousId": {
        "name": "AnonymousId",
        "in": "header",
        "description": "Who it is about, of a message that says it nowhere; may be in base64.",
        "schema": {"type": "string", "pattern": "^[!-~]*$"},
    },
    "SentAt": {
        "name": "SentAt",
        "in": "header",
        "description": "When it was sent by the client's clock, of a message that does not say it.",
        "schema": {"type": "string", "pattern": "^[!-~]*$"},
    },
}
"""Headers of the messages of client libraries."""
_BODY = (
    f"At most {MAX_BODY_BYTES:,} bytes, compressed with gzip or not. The content type is not "
    "looked at but for NDJSON and CloudEvents."
)
_LIBRARIES = {"segment": "Segment family", "amplitude": "Amplitude HTTP API v2"}
_SUMMARIES = {
    "/events": "Send one event, or several",
    "/events/batch": "Send several events",
    "/events/{type}": "Send one event of a type, or several",
    "/events/batch/{type}": "Send several events of a type",
}


def paths(exchanges: Sequence[Exchange]) -> Json:
    """Return the path items of everything that takes events."""
    targets = {
        path: find("POST", path.replace("{type}", _ANY_TYPE)) for path in (*PATHS, *PATTERNS)
    }
    return {
        path: {"post": _operation(path, target, [e for e in exchanges if e.path == path])}
        for path, target in targets.items()
    }


def _operation(path: str, target: Target, exchanges: Sequence[Exchange]) -> Json:
    made = _native(path, target, exchanges) if target.is_native else _library(target)
    return {"operationId": operation_id("post", path), **made}


def operation_id(method: str, path: str) -> str:
    """Return the id of an operation, as code that is generated may call it."""
    words = "".join(each if each.isalnum() else " " for each in path).split()
    return method + "".join(word[0].upper() + word[1:] for word in words)


def _native(path: str, target: Target, exchanges: Sequence[Exchange]) -> Json:
    typed = target.event_type is not None
    parameters = [_TYPE, _IDEMPOTENCY_KEY] if typed else [_IDEMPOTENCY_KEY]
    refusals = problems.responses((400, 503), "SendingProblem")
    refusals |= problems.responses((401, 403, 413, *((404,) if typed else ())))
    receipts = [ref("BatchReceipt")] if target.batch else [ref("EventReceipt"), ref("BatchReceipt")]
    answers = {
        "200": _answered("Every event is on the stream.", _any_of(receipts), exchanges, 200),
        "207": _answered(
            "Some events are on the stream: see `results`.", ref("BatchReceipt"), exchanges, 207
        ),
    }
    return {
        "tags": ["Sending events"],
        "summary": _SUMMARIES[path],
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "description": _BODY,
            "content": _native_content(target, exchanges),
        },
        "responses": dict(sorted((answers | refusals).items())),
    }


def _native_content(target: Target, exchanges: Sequence[Exchange]) -> Json:
    typed = target.event_type is not None
    one, many = ("TypedEvent", "TypedEvents") if typed else ("IngestEvent", "Events")
    if target.batch:
        names = [many, "TypedEventEnvelope", "RecordEnvelope"] if typed else [many, "EventEnvelope"]
    else:
        names = [one, many]
    shape = _any_of([ref(name) for name in names])
    content: Json = {
        "application/json": {"schema": shape},
        "text/plain": {"schema": {**shape, "description": "JSON, as beacons send it."}},
        "application/x-ndjson": {
            "schema": {"type": "string", "description": "One event a line, as JSON."},
        },
    }
    if not typed and not target.batch:
        cloud_event = ref("CloudEvent")
        several = {"type": "array", "items": cloud_event, "minItems": 1}
        content["application/cloudevents+json"] = {"schema": cloud_event}
        content["application/cloudevents-batch+json"] = {"schema": several}
    for media_type, each in content.items():
        each.update(_examples(_models(exchanges, media_type)))
    return content


def _models(exchanges: Sequence[Exchange], media_type: str = "application/json") -> list[Any]:
    return [e.document for e in exchanges if e.is_model and e.media_type == media_type]


def _library(target: Target) -> Json:
    problem = "AmplitudeProblem" if target.surface == "amplitude" else "LibraryProblem"
    what = "Events" if target.kind is None else f"One {target.kind} message"
    made: Json = {
        "tags": ["Client libraries"],
        "summary": f"{what} of a client library: {_LIBRARIES[target.surface]}",
        "requestBody": {"$ref": f"#/components/requestBodies/{_body_of(target)}"},
        "responses": {
            "200": {"$ref": "#/components/responses/LibraryReceipt"},
            **problems.responses((400, 401, 403, 503), problem),
        },
    }
    if target.kind is not None:
        made["parameters"] = [{"$ref": f"#/components/parameters/{name}"} for name in PARAMETERS]
    return made


def _body_of(target: Target) -> str:
    """Name the schema, and the body, of what a path of a client library takes."""
    if target.surface == "amplitude":
        return "AmplitudeRequest"
    return "MessageBatch" if target.kind is None else message_of(target.kind)


def components(exchanges: Sequence[Exchange]) -> Json:
    """Return what the operations for client libraries have in common."""
    bodies: dict[str, Json] = {}
    for path, target in PATHS.items():
        if not target.is_native:
            shown = _models([each for each in exchanges if each.path == path])
            if shown or _body_of(target) not in bodies:
                bodies[_body_of(target)] = _library_body(_body_of(target), shown)
    mine = [each for each in exchanges if not PATHS.get(each.path, Target("native")).is_native]
    receipt = _answered("Every valid event is on the stream.", ref("LibraryReceipt"), mine, 200)
    return {
        "parameters": dict(PARAMETERS),
        "requestBodies": dict(sorted(bodies.items())),
        "responses": {"LibraryReceipt": receipt},
    }


def _library_body(name: str, shown: Sequence[Any]) -> Json:
    return {
        "required": True,
        "description": _BODY,
        "content": {
            "application/json": {"schema": ref(name)} | _examples(shown),
            "text/plain": {"schema": {**ref(name), "description": "JSON, as beacons send it."}},
        },
    }


def _answered(words: str, schema: Json, exchanges: Sequence[Exchange], status: int) -> Json:
    shown = [each.answer for each in exchanges if each.status == status]
    return {
        "description": words,
        "content": {"application/json": {"schema": schema} | _examples(shown)},
    }


def _examples(values: Sequence[Any]) -> Json:
    found = [value for value in values if value is not None]
    return {"examples": named(found)} if found else {}


def _any_of(schemas: list[Json]) -> Json:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
