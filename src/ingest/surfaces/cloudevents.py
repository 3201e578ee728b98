"""CloudEvents 1.0 over HTTP, in its three modes: structured, batched and binary."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import unquote

from pydantic_core import PydanticCustomError

from common.domain.strict_json import decode, find_violation, shown
from common.errors import FieldError, InvalidRequestError
from common.http import Request
from common.models import parse_instant
from ingest.submission import Sent, Submission
from ingest.surfaces.fields import (
    MAX_EVENT_ID,
    each,
    fitted,
    hashed,
    identity,
    is_absent,
    name_event,
    refuse,
    text,
)

Kind = Literal["binary", "structured", "batched"]

_REQUIRED = ("specversion", "id", "source", "type")
_READ = frozenset({*_REQUIRED, "subject", "time", "data", "data_base64"})
_VERSION_1 = re.compile(r"1\.[0-9]+")
_JSON = re.compile(r"(application|text)/json|[^/]+/[^/]+\+json")
_TEXT = re.compile(r"text/.+|[^/]+/([^/]+\+)?xml")
_UNSAID = ("", "application/x-www-form-urlencoded")
"""Content types of a sender that gave it no thought."""
_INSTANT_RULES = {
    "instant_type": "wrong_type",
    "instant_format": "bad_format",
    "instant_range": "out_of_range",
}


def read(document: object, kind: str, request: Request) -> Submission:
    """Take a request apart into CloudEvents.

    Parameters
    ----------
    document
        The body: bytes in ``binary`` mode, else the decoded JSON, whose shape says whether it is
        one event or an array of them.
    kind
        ``binary``, ``structured`` or ``batched``.
    request
        In ``binary`` mode its headers are the attributes.

    Raises
    ------
    InvalidRequestError
        The body is neither an object nor an array.
    """
    if kind == "binary" and isinstance(document, bytes):
        return Submission([_binary(document, request.headers)], single=True)
    if isinstance(document, list):
        return Submission(each(document, _structured), whole=True)
    if isinstance(document, dict):
        return Submission(each([document], _structured), single=True)
    message = "the body must be a CloudEvent as a JSON object, or a JSON array of them"
    raise InvalidRequestError(message, errors=[FieldError("body", "wrong_type", message)])


def _structured(message: dict[str, Any]) -> Sent:
    return Sent(_event(message, _data(message)), message)


def _binary(body: bytes, headers: Mapping[str, str]) -> Sent:
    content_type = headers.get("content-type", "")
    try:
        attributes = {
            name[3:]: _unescaped(name, value)
            for name, value in headers.items()
            if name.startswith("ce-")
        }
        attributes["datacontenttype"] = content_type
        return Sent(_event(attributes, _from_bytes(body, content_type, "body"), "ce-"))
    except InvalidRequestError as error:
        return Sent(error.errors[0])


def _unescaped(name: str, value: str) -> str:
    """Read a header's value: without its quotation marks, if it has any, and percent-decoded."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise refuse(shown(name), "bad_encoding", "must be percent-encoded UTF-8") from None


def _event(attributes: Mapping[str, Any], properties: object, prefix: str = "") -> dict[str, Any]:
    given = {name: text(attributes, name, prefix + name) for name in _REQUIRED}
    for name, value in given.items():
        if value is None:
            raise refuse(prefix + name, "missing", "is required in a CloudEvent")
    version, own_id, source, type_ = (str(value) for value in given.values())
    if not _VERSION_1.fullmatch(version):
        raise refuse(prefix + "specversion", "bad_format", "must be 1.0, the version that is read")
    context = {
        name: value
        for name, value in attributes.items()
        if name not in _READ and not is_absent(value)
    }
    context["source"] = source
    event_id = _event_id(source, own_id)
    if event_id != f"{source}#{own_id}":
        context["id"] = own_id
    return {
        "event_type": name_event(type_, context),
        "event_id": event_id,
        "user_id": identity(attributes, "subject"),
        "session_id": identity(attributes, "sessionid"),
        "timestamp": _time(attributes, prefix),
        "properties": properties or None,
        "context": context,
    }


def _event_id(source: str, own_id: str) -> str:
    """Join the two attributes that make an event unique, so that no two pairs become one id."""
    joined = f"{source}#{own_id}"
    if joined.count("#") == 1 and fitted(joined, MAX_EVENT_ID) == joined:
        return joined
    return hashed(f"{len(source)}:{source}{own_id}")


def _time(attributes: Mapping[str, Any], prefix: str) -> object:
    value = attributes.get("time")
    if is_absent(value):
        return None
    try:
        return parse_instant(value)
    except PydanticCustomError as error:
        raise refuse(f"{prefix}time", _INSTANT_RULES[error.type], error.message()) from None


def _data(message: Mapping[str, Any]) -> object:
    """Return the data of a structured event as properties."""
    data, encoded = message.get("data"), message.get("data_base64")
    if encoded is None:
        return {} if data is None else _as_object(data)
    if data is not None:
        raise refuse("data_base64", "duplicate_field", "and data mean the same; send one of them")
    if not isinstance(encoded, str):
        raise refuse("data_base64", "wrong_type", "must be base64 text")
    try:
        plain = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise refuse("data_base64", "bad_format", "must be base64 text") from None
    content_type = message.get("datacontenttype")
    return _from_bytes(plain, content_type if isinstance(content_type, str) else "", "data_base64")


def _as_object(data: object) -> object:
    return data if isinstance(data, dict) else {"data": data}


def _from_bytes(data: bytes, content_type: str, name: str) -> object:
    """Return bytes as properties: JSON as what it says, text as text, anything else in base64."""
    media_type = content_type.partition(";")[0].strip().lower()
    if not data:
        return {}
    if _JSON.fullmatch(media_type):
        return _as_object(decode(data, name))
    if media_type in _UNSAID:
        try:
            return _as_object(decode(data, name))
        except InvalidRequestError:
            pass  # it was not JSON that they did not name
    if media_type in _UNSAID or _TEXT.fullmatch(media_type):
        try:
            plain = {"data": data.decode()}
        except UnicodeDecodeError:
            plain = {}
        violation = find_violation(plain)
        if plain and (violation is None or violation.rule != "control_character"):
            return plain
    return {"data_base64": base64.b64encode(data).decode()}
