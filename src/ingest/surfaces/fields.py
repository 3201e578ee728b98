"""Fields as client libraries send them: ids that are numbers, ``[]`` for ``{}``, text as time.

A library cannot mend what it sends, so what can be understood is taken.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any, NamedTuple

from pydantic_core import PydanticCustomError

from common.domain.event_names import event_name, storable
from common.domain.strict_json import Refused, shown
from common.errors import FieldError, InvalidRequestError
from common.models import parse_instant
from ingest.submission import Sent

MAX_EVENT_ID = 128
"""Characters of an ``event_id``."""
MAX_IDENTITY = 256
"""Characters of the id of a user, a visitor or a session."""

_MAX_EPOCH_DIGITS = 20
_WHOLE_IN_A_DOUBLE = 2**53


def refuse(field: str, rule: str, problem: str) -> InvalidRequestError:
    """Make the error of one field."""
    message = f"{field} {problem}"
    return InvalidRequestError(message, errors=[FieldError(field, rule, message)])


class Unread(NamedTuple):
    """A message that could not be read as an event, with what its request said of it."""

    message: dict[str, Any]
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is kept with a message that is rejected, and what is not.

    Attributes
    ----------
    secrets
        Members that are not.
    sent_at, own_clock
        What the request says of all its messages.
    """

    secrets: Set[str] = frozenset()
    sent_at: datetime | None = None
    own_clock: bool = False


def each(
    messages: Sequence[object],
    read: Callable[[dict[str, Any]], Sent],
    keeping: Keeping = Keeping(),
) -> list[Sent]:
    """Read messages one by one; what is wrong with one of them spoils no other.

    Parameters
    ----------
    messages
        As they were decoded, in the order they were sent.
    read
        Raises :class:`InvalidRequestError` with the first thing that is wrong.
    keeping
        What is kept with a message that is rejected.
    """
    return [_one(message, read, keeping) for message in messages]


def _one(message: object, read: Callable[[dict[str, Any]], Sent], keeping: Keeping) -> Sent:
    if not isinstance(message, dict):
        return Sent(message)  # validation says that it is no object
    try:
        return read(message)
    except InvalidRequestError as error:
        kept, sent_at = without(message, keeping.secrets), keeping.sent_at
        original = kept if sent_at is None else Unread(kept, sent_at)
        return Sent(error.errors[0], original, keeping.own_clock)


def without(message: dict[str, Any], names: Set[str]) -> dict[str, Any]:
    """Return a message without some of its members, for keeping."""
    if names.isdisjoint(message):
        return message
    return {name: value for name, value in message.items() if name not in names}


def is_absent(value: object) -> bool:
    """Tell whether a member says nothing: ``null``, an empty text, or an empty array.

    Some languages write their empty objects as arrays.
    """
    return value is None or value in ("", [])


def text(message: Mapping[str, Any], name: str, field: str | None = None) -> str | None:
    """Return a member as text, numbers too; ``None`` when it is absent.

    Raises
    ------
    InvalidRequestError
        It is of another type; the error names it by ``field``, else by ``name``.
    """
    value = message.get(name)
    if isinstance(value, str):
        return value or None
    if value is None:
        return None
    if (number := _number(value)) is None:
        raise _not(value, field or name, "must be text or a number")
    return number


def identity(message: Mapping[str, Any], name: str, limit: int = MAX_IDENTITY) -> str | None:
    """Return a member as an id that can be stored; ``None`` when it is absent."""
    given = text(message, name)
    return given and fitted(given, limit)


def fitted(given: str, limit: int) -> str:
    """Return an id as it is, or its hash when it is too long or not printable.

    >>> fitted("user-1", 256)
    'user-1'
    >>> fitted("x" * 300, 256)[:15]
    'sha256:0d4e2ca9'
    """
    return given if len(given) <= limit and given.isprintable() else hashed(given)


def hashed(given: str) -> str:
    """Return the SHA-256 of a text in the form that stands for it as an id."""
    return f"sha256:{hashlib.sha256(given.encode('utf-8', 'surrogatepass')).hexdigest()}"


def json_object(message: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a copy of a member that is an object; empty when it is absent.

    Raises
    ------
    InvalidRequestError
        It is of another type.
    """
    value = message.get(name)
    if isinstance(value, dict):
        return dict(value)
    if is_absent(value):
        return {}
    raise _not(value, name, "must be a JSON object")


def instant(value: object) -> object:
    """Return an instant if ``value`` can be understood as one, else ``None``.

    Epoch milliseconds may have a fraction or stand in quotation marks. An instant that no event
    may have is returned as it came, for validation to refuse.
    """
    if isinstance(value, float) and isfinite(value):
        value = int(value)
    elif isinstance(value, str) and value.isdecimal() and value.isascii():
        value = int(value) if len(value) <= _MAX_EPOCH_DIGITS else None
    try:
        return parse_instant(value)
    except PydanticCustomError as error:
        return value if error.type == "instant_range" else None


def time_member(message: Mapping[str, Any], name: str) -> str | int | float | None:
    """Return what a member says of a time, for :func:`instant`; ``None`` when it is absent.

    Text that is no instant is a library's fault that nobody can mend, and the event is taken. Of
    another type it is its caller's: an event that counted when it came would hide that.

    Raises
    ------
    InvalidRequestError
        It is neither text nor a number.
    """
    value = message.get(name)
    if is_absent(value):
        return None
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return value
    raise _not(value, name, "must be RFC 3339 text with a zone, or epoch milliseconds")


def clock(value: object) -> datetime | None:
    """Return what a client's clock showed; ``None`` when that is absent or makes no sense."""
    shown_at = instant(value)
    return shown_at if isinstance(shown_at, datetime) else None


def name_event(name: str, context: dict[str, Any]) -> str:
    """Return the event type of a free name; what it loses is kept in ``context``."""
    event_type, original = event_name(name)
    if original is not None:
        context["original_event"] = original
    return event_type


def keep_unread_time(value: object, read: object, context: dict[str, Any]) -> None:
    """Keep the text of a time that could not be understood."""
    if read is None and isinstance(value, str) and value:
        context["original_timestamp"] = storable(value)


def place(name: str, value: object, properties: dict[str, Any], context: dict[str, Any]) -> None:
    """Put a field among the properties, or into ``context`` when another has its name there."""
    if is_absent(value) or value == {}:
        return
    if name not in properties:
        properties[name] = value
    elif not (isinstance(value, str) and properties[name] == value):
        context.setdefault(name, value)


def _number(value: object) -> str | None:
    if isinstance(value, float) and isfinite(value):
        whole = value.is_integer() and abs(value) < _WHOLE_IN_A_DOUBLE
        return str(int(value)) if whole else repr(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _not(value: object, name: str, problem: str) -> InvalidRequestError:
    if not isinstance(value, Refused):
        return refuse(name, "wrong_type", problem)
    at = name if value.key is None else f"{name}.{shown(value.key)}"
    return refuse(at, value.rule, value.message)
