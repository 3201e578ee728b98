"""Which request is which: the paths under ``/events``."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from pydantic import TypeAdapter, ValidationError

from common.errors import FieldError, InvalidRequestError, MethodNotAllowedError, NotFoundError
from common.models import EventType

_EVENT_TYPE = TypeAdapter(EventType)


@dataclass(frozen=True, slots=True)
class Target:
    """What a path asks for."""

    batch: bool
    """Many events by the path itself; elsewhere an array makes a batch."""
    event_type: str | None = None
    """The type every event of the request has; ``None`` when each names its own."""


def find(method: str, path: str) -> Target:
    """Return what a request asks for.

    Parameters
    ----------
    method
        The HTTP method in capitals.
    path
        Without the stage and without trailing slashes.

    Raises
    ------
    NotFoundError
        There is no such path.
    MethodNotAllowedError
        The path takes ``POST`` only.
    InvalidRequestError
        The path names no event type.
    """
    match path.strip("/").split("/"):
        case ["events"]:
            target, name = Target(batch=False), None
        case ["events", "batch"]:
            target, name = Target(batch=True), None
        case ["events", "batch", str(name)]:
            target = Target(batch=True)
        case ["events", str(name)]:
            target = Target(batch=False)
        case _:
            raise NotFoundError(
                "there is no such path; send events to POST /events, /events/batch,"
                " /events/{type} or /events/batch/{type}"
            )
    if method != "POST":
        raise MethodNotAllowedError("this path takes POST only")
    return target if name is None else Target(target.batch, _event_type(name))


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
