"""Messages of client libraries that ingest rejected, read again as they came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pydantic_core import PydanticCustomError

from common.domain.enrich import Client
from common.domain.strict_json import Refused, decode
from common.errors import FieldError, InvalidRequestError
from common.http import Request
from common.models import parse_instant
from eventstream.replay.kept import Rejection
from ingest.rejected import MAX_RAW_BYTES
from ingest.routes import Target
from ingest.submission import Sent
from ingest.surfaces import amplitude, cloudevents, segment


def read_message(rejection: Rejection) -> tuple[Sent, Target]:
    """Take a message apart as the surface did that it came by.

    What the request said of the clocks is what was kept of it beside the message.

    Raises
    ------
    InvalidRequestError
        It is no message, or not all of it was kept.
    """
    document, target = _document(rejection), _target(rejection.why)
    sent = _read(document, target, rejection.why)
    has_own_clock = sent.own_clock or rejection.why.get("own_clock") is True
    return sent._replace(own_clock=has_own_clock), target


def _target(why: Mapping[str, Any]) -> Target:
    surface, kind = why.get("surface"), why.get("kind")
    if surface in ("native", "cloudevents"):
        return Target("native")
    if surface == "amplitude":
        return Target("amplitude", batch=True)
    if surface != "segment":
        raise _refused("surface", "unknown_surface", "is none that this version knows")
    return Target("segment", kind=kind) if isinstance(kind, str) else Target("segment", batch=True)


def _read(document: object, target: Target, why: Mapping[str, Any]) -> Sent:
    if target.surface == "amplitude":
        request = {"events": [document], "client_upload_time": why.get("sent_at")}
        return amplitude.read(request, target, _NO_REQUEST).events[0]
    if target.surface == "segment":
        told = why.get("sent_at")
        headers = {"sentat": told} if isinstance(told, str) else {}
        body = document if target.kind else {"batch": [document]}
        return segment.read(body, target, replace(_NO_REQUEST, headers=headers)).events[0]
    if why.get("surface") == "native":
        return Sent(document)
    return cloudevents.read([document], "batched", _NO_REQUEST).events[0]


def _document(rejection: Rejection) -> object:
    message = rejection.message
    if message is None:
        raise _refused("message", "not_kept", "was not kept: strict JSON refused it whole")
    raw = message.encode("utf-8", "replace")
    try:
        document = decode(raw, "message")
    except InvalidRequestError:
        if len(raw) >= MAX_RAW_BYTES - 4:
            raise _refused("message", "cut", "was cut where it was kept; mend its end") from None
        raise
    if isinstance(document, Refused):
        refusal = document.as_error()
        raise InvalidRequestError(refusal.message, errors=[refusal])
    if _has_gap(document, rejection.why.get("rule")):
        said = 'has {"refused": ...} where a value was that was not kept; put one there'
        raise _refused("message", "value_not_kept", said)
    return document


def _has_gap(value: object, rule: object) -> bool:
    """Say whether a stand-in for a refused value is left in a message."""
    if isinstance(value, dict):
        return value == {"refused": rule} or any(_has_gap(one, rule) for one in value.values())
    return isinstance(value, list) and any(_has_gap(one, rule) for one in value)


def receipt_of(rejection: Rejection, arrived_at: datetime | None) -> datetime:
    """Return when a message was received: that decides what its age is.

    Raises
    ------
    InvalidRequestError
        Nobody knows.
    """
    told = rejection.why.get("received_at")
    try:
        if told is not None:
            return parse_instant(told)
    except PydanticCustomError:
        pass  # it is mended by hand, or of another version
    if arrived_at is None:
        raise _refused("received_at", "missing", "is not known: give the event as the stream does")
    return arrived_at


def client_of(rejection: Rejection) -> Client:
    """Return who sent a message, as far as that was kept."""
    agent = rejection.why.get("user_agent")
    return Client(agent if isinstance(agent, str) else None)


def _refused(field: str, rule: str, said: str) -> InvalidRequestError:
    message = f"{field} {said}"
    return InvalidRequestError(message, errors=[FieldError(field, rule, message)])


_NO_REQUEST = Request("POST", "/", b"", datetime(1970, 1, 1, tzinfo=UTC), "")
"""Of headers and query nothing is kept but what stands beside the message."""
