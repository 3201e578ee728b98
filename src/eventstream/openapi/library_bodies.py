"""JSON Schemas of what client libraries send. They are open: what a library adds goes to context.

docs/sdks.md says what becomes of each member.
"""

from __future__ import annotations

from typing import Any

from ingest.bodies import MAX_EVENTS

Json = dict[str, Any]

KINDS = ("track", "page", "screen", "identify", "group", "alias")
"""Messages of the Segment family."""

_ID: Json = {"type": ["string", "number", "null"]}
_TEXT: Json = {"type": ["string", "null"]}
_OBJECT: Json = {"type": ["object", "null"]}
_INSTANT: Json = {
    "type": ["string", "number", "null"],
    "description": "RFC 3339 with a zone, or epoch milliseconds; what cannot be read counts as "
    "none.",
}
_NAME: Json = {"type": "string", "pattern": r"\S", "description": "What happened; free text."}


def message_of(kind: str) -> str:
    """Name the schema of one kind of message."""
    return f"{kind.capitalize()}Message"


def schemas() -> Json:
    """Return the schemas by name."""
    messages = {message_of(kind): _message(kind) for kind in KINDS}
    return {
        **messages,
        "MessageBatch": _message_batch(),
        "AmplitudeEvent": _amplitude_event(),
        "AmplitudeRequest": _object(
            {
                "api_key": {"type": ["string", "null"]},
                "events": _list({"$ref": "#/components/schemas/AmplitudeEvent"}),
                "client_upload_time": _INSTANT,
            },
            "events",
        ),
        "CloudEvent": _cloud_event(),
    }


def _message(kind: str) -> Json:
    properties = {
        "type": {"type": "string", "description": f"Ignored where the path says {kind}."},
        "messageId": {**_ID, "description": "Becomes the event_id."},
        "userId": _ID,
        "anonymousId": _ID,
        "timestamp": _INSTANT,
        "originalTimestamp": _INSTANT,
        "sentAt": _INSTANT,
        "properties": _OBJECT,
        "traits": _OBJECT,
        "context": _OBJECT,
        "name": _TEXT,
        "category": _TEXT,
        "groupId": _ID,
        "previousId": _ID,
        "writeKey": {"type": ["string", "null"], "description": "An API key."},
    }
    if kind != "track":
        return _object(properties)
    return _object({**properties, "event": _NAME}, "event")


def _message_batch() -> Json:
    kinds = [
        {
            "allOf": [{"$ref": f"#/components/schemas/{message_of(kind)}"}],
            "properties": {"type": {"const": kind}},
            "required": ["type"],
        }
        for kind in KINDS
    ]
    return _object(
        {
            "batch": _list({"anyOf": kinds}),
            "context": {**_OBJECT, "description": "Stands under the context of each message."},
            "sentAt": _INSTANT,
            "writeKey": {"type": ["string", "null"], "description": "An API key."},
        },
        "batch",
    )


def _amplitude_event() -> Json:
    return _object(
        {
            "event_type": _NAME,
            "insert_id": {**_ID, "description": "Becomes the event_id."},
            "user_id": _ID,
            "device_id": {**_ID, "description": "Becomes the anonymous_id."},
            "session_id": {**_ID, "description": "-1 is none."},
            "time": _INSTANT,
            "event_properties": _OBJECT,
            "user_properties": _OBJECT,
            "group_properties": _OBJECT,
        },
        "event_type",
    )


def _cloud_event() -> Json:
    text: Json = {"type": "string", "minLength": 1}
    return _object(
        {
            "specversion": {"type": "string", "pattern": r"^1\.[0-9]+$"},
            "id": text,
            "source": text,
            "type": {**text, "description": "Becomes the event_type."},
            "subject": {**_ID, "description": "Becomes the user_id."},
            "time": {"type": ["string", "null"], "format": "date-time"},
            "datacontenttype": _TEXT,
            "dataschema": _TEXT,
            "data": {"description": "Becomes the properties."},
            "data_base64": {"type": "string", "contentEncoding": "base64"},
        },
        *("specversion", "id", "source", "type"),
    )


def _object(properties: Json, *required: str) -> Json:
    schema: Json = {"type": "object", "properties": properties}
    return schema | {"required": list(required)} if required else schema


def _list(items: Json) -> Json:
    return {"type": "array", "items": items, "minItems": 1, "maxItems": MAX_EVENTS}
