"""Amplitude's HTTP API, version 2, as its libraries speak it."""

from __future__ import annotations

from typing import Any

from common.errors import FieldError, InvalidRequestError
from common.http import Request
from ingest.routes import Target
from ingest.submission import Sent, Submission
from ingest.surfaces.fields import (
    MAX_EVENT_ID,
    Keeping,
    clock,
    each,
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

_PROPERTIES = ("groups", "price", "quantity", "revenue", "productId", "revenueType", "currency")
"""Members that stand beside the properties of an event, and are properties to us."""
_TRAITS = ("user_properties", "group_properties")
_SECRETS = frozenset({"api_key"})
"""Its place is beside ``events``; in an event it must not be stored either."""
_READ = frozenset(
    {
        "event_type",
        "insert_id",
        "user_id",
        "device_id",
        "session_id",
        "time",
        "event_properties",
        *_PROPERTIES,
        *_TRAITS,
        *_SECRETS,
    }
)
_CHANGES_TRAITS = frozenset({"$identify", "$groupidentify"})
"""Events that are about nothing but the properties of a user or a group."""
_NO_SESSION = "-1"
_THE_SENDER = "$remote"
_SERVER_LIBRARIES = ("amplitude-python/", "amplitude-node")


def read(document: object, target: Target, request: Request) -> Submission:  # noqa: ARG001
    """Take a request of an Amplitude library apart into events.

    Parameters
    ----------
    document
        The decoded body: ``{"api_key": ..., "events": [...]}``.
    target, request
        Say nothing that the body does not.

    Raises
    ------
    InvalidRequestError
        The body is not of that shape. What is wrong with one event is told of that one.
    """
    events = document.get("events") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(events, list):
        message = 'the body must be {"api_key": "...", "events": [...]}'
        raise InvalidRequestError(message, errors=[FieldError("body", "wrong_shape", message)])
    key = document.get("api_key")
    sent_at = clock(document.get("client_upload_time"))
    sent = each(events, lambda one: _sent(one, sent_at), Keeping(_SECRETS, sent_at))
    return Submission(sent, write_key=key if isinstance(key, str) else None)


def _sent(message: dict[str, Any], sent_at: object) -> Sent:
    name = text(message, "event_type")
    if name is None or not name.strip():
        raise refuse("event_type", "missing", "is required")
    context = _context(message)
    properties = json_object(message, "event_properties")
    for traits in _TRAITS:
        given = json_object(message, traits)
        if name in _CHANGES_TRAITS:
            _lift(given, properties, context)
        else:
            place(traits, given, properties, context)
    for beside in _PROPERTIES:
        place(beside, message.get(beside), properties, context)
    time = time_member(message, "time")
    at = instant(time)
    keep_unread_time(time, at, context)
    session_id = identity(message, "session_id")
    event = {
        "event_type": name_event(name.removeprefix("$") or name, context),
        "event_id": identity(message, "insert_id", MAX_EVENT_ID),
        "user_id": identity(message, "user_id"),
        "anonymous_id": identity(message, "device_id"),
        "session_id": None if session_id == _NO_SESSION else session_id,
        "timestamp": at,
        "sent_at": sent_at,
        "properties": properties or None,
        "context": context or None,
    }
    library = message.get("library")
    own_clock = isinstance(library, str) and library.startswith(_SERVER_LIBRARIES)
    return Sent(event, without(message, _SECRETS), own_clock)


def _lift(given: dict[str, Any], properties: dict[str, Any], context: dict[str, Any]) -> None:
    """Put what an identify sets among its properties; other operations keep their name."""
    values = given.pop("$set", None)
    for name, value in (values if isinstance(values, dict) else {}).items():
        place(name, value, properties, context)
    if not isinstance(values, dict):
        place("$set", values, properties, context)
    for name, value in given.items():
        place(name, value, properties, context)


def _context(message: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of the device, the app and the library, by Amplitude's names.

    The library is spelled as all others spell theirs.
    """
    context = {
        name: value for name, value in message.items() if name not in _READ and not is_absent(value)
    }
    if context.get("ip") == _THE_SENDER:
        del context["ip"]
    if isinstance(library := context.get("library"), str):
        name, _, version = library.partition("/")
        context["library"] = {"name": name, "version": version} if version else {"name": name}
    return context
