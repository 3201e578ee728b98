"""Messages of the Segment family: the libraries of Segment, RudderStack and Jitsu."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import to_json

from common.domain.strict_json import find_violation
from common.errors import FieldError, InvalidRequestError, TooLargeError
from common.http import Request
from ingest.payload import MAX_DECODED_BYTES
from ingest.routes import Target
from ingest.submission import Sent, Submission
from ingest.surfaces.fields import (
    MAX_EVENT_ID,
    MAX_IDENTITY,
    Keeping,
    clock,
    each,
    fitted,
    identity,
    instant,
    is_absent,
    json_object,
    keep_unread_time,
    name_event,
    place,
    refuse,
    text,
    time_member,
    without,
)

_EVENT_TYPES = {
    "page": "page_view",
    "screen": "screen_view",
    "identify": "identify",
    "group": "group",
    "alias": "alias",
}
"""Event type of each kind of message; a ``track`` names its own."""
_KINDS = ("track", *_EVENT_TYPES)
_PROPERTIES = ("name", "category", "groupId", "previousId")
"""Members that stand beside the properties of some messages, and are properties to us."""
_PAGE = ("url", "path", "title", "referrer")
"""Properties of a page; a browser's library says them in the context too, a server's does not."""
_DROPPED = frozenset({"writeKey", "integrations", "_metadata"})
"""What is said to the vendor's own servers, and a key that must not be stored."""
_PLACED = _DROPPED.union(
    ("type", "messageId", "userId", "anonymousId", "timestamp", "originalTimestamp", "sentAt"),
    ("properties", "traits", "context", *_PROPERTIES),
)
_PLACED_OF_TRACK = _PLACED | {"event"}
_SECRETS = frozenset({"writeKey"})
_SERVER_LIBRARIES = frozenset(
    {
        "@segment/analytics-node",
        "analytics-node",
        "analytics-python",
        "analytics-go",
        "analytics-ruby",
        "analytics-java",
        "analytics-php",
    }
)
"""Libraries that run where a clock is kept; some send again under the first try's ``sentAt``."""


@dataclass(frozen=True, slots=True)
class _Envelope:
    """What the messages of one request have in common."""

    kind: str | None = None
    context: Mapping[str, Any] | None = None
    sent_at: datetime | None = None
    anonymous_id: str | None = None
    is_server: bool = False


def read(document: object, target: Target, request: Request) -> Submission:
    """Take a request of the Segment family apart into events.

    Parameters
    ----------
    document
        The decoded body: one message, or ``{"batch": [...]}`` where the path names no kind.
    target
        Its ``kind`` says what the message is, whatever the message's own ``type`` says.
    request
        For ``SentAt`` and ``AnonymousId``, which may stand in its headers.

    Raises
    ------
    InvalidRequestError
        The body is not of that shape, or what its messages share is out of bounds. What is wrong
        with one message is told of that one.
    """
    if not isinstance(document, dict):
        raise _wrong_shape(target)
    key = document.get("writeKey")
    write_key = key if isinstance(key, str) else None
    is_server = "/s2s/" in request.path
    if target.kind is not None:
        sent_at = clock(request.headers.get("sentat"))
        anonymous_id = _in_header(request.headers.get("anonymousid"))
        envelope = _Envelope(target.kind, None, sent_at, anonymous_id, is_server)
        sent = each(
            [document], lambda one: _sent(one, envelope), Keeping(_SECRETS, sent_at, is_server)
        )
        return Submission(sent, single=True, write_key=write_key)
    messages = document.get("batch")
    if not isinstance(messages, list):
        raise _wrong_shape(target)
    sent_at = clock(document.get("sentAt")) or clock(request.headers.get("sentat"))
    envelope = _Envelope(None, _shared(document, len(messages)), sent_at, None, is_server)
    sent = each(messages, lambda one: _sent(one, envelope), Keeping(_SECRETS, sent_at, is_server))
    return Submission(sent, write_key=write_key)


def _wrong_shape(target: Target) -> InvalidRequestError:
    shape = '{"batch": [...]}' if target.kind is None else f"one {target.kind} message, an object"
    message = f"the body must be {shape}"
    return InvalidRequestError(message, errors=[FieldError("body", "wrong_shape", message)])


def _shared(document: dict[str, Any], messages: int) -> dict[str, Any]:
    """Return the context that stands for every message of a batch.

    Each message gets it whole, so a small body could otherwise become gigabytes of events.
    """
    context = json_object(document, "context")
    if not context:
        return context
    if violation := find_violation({"context": context}):
        raise InvalidRequestError(violation.message, errors=[violation])
    if len(to_json(context)) * messages > MAX_DECODED_BYTES:
        message = (
            "context of the batch counts once for each of its messages, and may so take at most"
            f" {MAX_DECODED_BYTES} bytes (8 MB) of JSON; send fewer messages at a time"
        )
        raise TooLargeError(message, errors=[FieldError("context", "body_too_large", message)])
    return context


def _in_header(given: str | None) -> str | None:
    """Read the ``AnonymousId`` header; RudderStack's library writes it in base64."""
    if not given:
        return None
    try:
        plain = base64.b64decode(given, validate=True).decode()
    except (binascii.Error, ValueError):
        plain = given
    return fitted(plain, MAX_IDENTITY) if plain else None


def _sent(message: dict[str, Any], envelope: _Envelope) -> Sent:
    kind = envelope.kind or _kind(message)
    context = {**(envelope.context or {}), **json_object(message, "context")}
    properties = _properties(message, kind, context)
    event_type = _EVENT_TYPES.get(kind) or name_event(_event(message), context)
    user_id, anonymous_id = identity(message, "userId"), identity(message, "anonymousId")
    if user_id is None and anonymous_id is None:
        anonymous_id = envelope.anonymous_id
    at, sent_at = _times(message, envelope, context)
    _keep_rest(message, kind, context)
    event = {
        "event_type": event_type,
        "event_id": identity(message, "messageId", MAX_EVENT_ID),
        "user_id": user_id,
        "anonymous_id": anonymous_id,
        "session_id": _session(context),
        "timestamp": at,
        "sent_at": sent_at,
        "properties": properties or None,
        "context": context or None,
    }
    own_clock = envelope.is_server or _is_server(message, context)
    return Sent(event, without(message, _SECRETS), own_clock)


def _keep_rest(message: dict[str, Any], kind: str, context: dict[str, Any]) -> None:
    """Put what has no place of its own into the context."""
    placed = _PLACED_OF_TRACK if kind == "track" else _PLACED
    for name, value in message.items():
        if name not in placed and not is_absent(value):
            context.setdefault(name, value)


def _kind(message: dict[str, Any]) -> str:
    kind = message.get("type")
    if is_absent(kind):
        raise refuse("type", "missing", f"is required; it is one of {', '.join(_KINDS)}")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise refuse("type", "unknown_type", f"must be one of {', '.join(_KINDS)}")
    return kind


def _event(message: dict[str, Any]) -> str:
    name = text(message, "event")
    if name is None or not name.strip():
        raise refuse("event", "missing", "is required in a track message; it names what happened")
    return name


def _properties(message: dict[str, Any], kind: str, context: dict[str, Any]) -> dict[str, Any]:
    """Return what an event is about; of a user or a group, its traits."""
    properties = {**json_object(message, "traits"), **json_object(message, "properties")}
    traits = context.get("traits")
    if kind == "identify" and not properties and isinstance(traits, dict):
        properties = dict(traits)  # RudderStack's server libraries have them there alone
    for name in _PROPERTIES:
        place(name, message.get(name), properties, context)
    if kind == "page" and is_absent(context.get("page")):
        page = {name: properties[name] for name in _PAGE if name in properties}
        context |= {"page": page} if page else {}
    return properties


def _times(
    message: dict[str, Any], envelope: _Envelope, context: dict[str, Any]
) -> tuple[object, object]:
    """Return when it happened and when it was sent.

    A caller's own time is in ``timestamp``; RudderStack's libraries add ``originalTimestamp``,
    the time of the call, also where there is one.
    """
    given, of_call = (time_member(message, name) for name in ("timestamp", "originalTimestamp"))
    at = instant(given) or instant(of_call)
    keep_unread_time(given or of_call, at, context)
    return at, clock(message.get("sentAt")) or envelope.sent_at


def _session(context: dict[str, Any]) -> str | None:
    """Return the session's id; what else may be there is the client's own, and no fault."""
    try:
        return identity(context, "sessionId")
    except InvalidRequestError:
        return None


def _is_server(message: dict[str, Any], context: dict[str, Any]) -> bool:
    library = context.get("library")
    name = library.get("name") if isinstance(library, dict) else None
    return message.get("channel") == "server" or (
        isinstance(name, str) and name in _SERVER_LIBRARIES
    )
