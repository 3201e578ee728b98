"""Which request is which: the paths that take events, and the surface each belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote

from pydantic import TypeAdapter, ValidationError

from common.errors import FieldError, InvalidRequestError, MethodNotAllowedError, NotFoundError
from common.models import EventType

Surface = Literal["native", "segment", "amplitude"]
"""Whose bodies a path takes, and whose answers it gives."""

_EVENT_TYPE = TypeAdapter(EventType)
_KNOWN_TYPES = 1_024
"""Types in paths that are remembered as well formed: senders of one type send many."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a path asks for."""

    surface: Surface
    batch: bool = False
    """Many events by the path itself; elsewhere the body decides."""
    event_type: str | None = None
    """The type every event of the request has; ``None`` when each names its own."""
    kind: str | None = None
    """The kind of message (``track``, ``page``, ...) a client library's path names."""

    @property
    def is_native(self) -> bool:
        """Whether the answer is ours, and not the one that client libraries want."""
        return self.surface == "native"


_MESSAGES = {
    "track": "t",
    "page": "p",
    "screen": "s",
    "identify": "i",
    "group": "g",
    "alias": "a",
}
"""Kinds of message of the Segment family, and the short path of each."""


def _paths() -> dict[str, Target]:
    native = Target("native")
    messages = Target("segment", batch=True)
    paths = {
        "/events": native,
        "/events/batch": Target("native", batch=True),
        "/v1/batch": messages,
        "/v1/b": messages,
        "/v1/import": messages,
        "/beacon/v1/batch": messages,
        "/2/httpapi": Target("amplitude", batch=True),
    }
    for kind, letter in _MESSAGES.items():
        target = Target("segment", kind=kind)
        of_kind = (f"/v1/{kind}", f"/v1/{letter}", f"/api/s/{kind}", f"/api/s/s2s/{kind}")
        paths |= dict.fromkeys(of_kind, target)
    return paths


PATHS: Mapping[str, Target] = _paths()
"""Every path but those that name an event type."""
PATTERNS = ("/events/{type}", "/events/batch/{type}")
"""The paths that name an event type."""
_NAMED = {"/events/batch": True, "/events": False}
"""What stands before the type in a path, and whether it makes a batch."""


def find(method: str, path: str) -> Target:
    """Return what a request asks for.

    Parameters
    ----------
    method
        The HTTP method in capitals.
    path
        Without the stage; a slash at its end changes nothing.

    Raises
    ------
    NotFoundError
        There is no such path.
    MethodNotAllowedError
        The path takes ``POST`` only.
    InvalidRequestError
        The path names no event type.
    """
    path = path.rstrip("/")
    target = PATHS.get(path) or _typed(path)
    if method != "POST":
        raise MethodNotAllowedError("this path takes POST only")
    return target


@lru_cache(_KNOWN_TYPES)
def _typed(path: str) -> Target:
    parent, _, name = path.rpartition("/")
    if parent not in _NAMED or not name:
        raise NotFoundError(
            "there is no such path; send events to POST /events, /events/batch,"
            " /events/{type} or /events/batch/{type}, or point a client library at this address"
        )
    return Target("native", batch=_NAMED[parent], event_type=_event_type(name))


def _event_type(segment: str) -> str:
    try:
        return _EVENT_TYPE.validate_python(unquote(segment))
    except ValidationError:
        message = (
            "the event type in the path must start with a letter, hold only letters, digits,"
            " '_', '.', ':', '-' and spaces, and have at most 128 characters"
        )
        raise InvalidRequestError(
            message, errors=[FieldError("path", "bad_format", message)]
        ) from None
