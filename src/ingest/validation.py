"""Hold one decoded event against the rules, and say in plain words what it breaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import AliasChoices, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from common.domain.strict_json import find_violation, shown
from common.errors import FieldError
from common.models import EventId, IngestEvent
from ingest.plain_events import PlainEvent

MAX_ERRORS_PER_EVENT = 10
"""A client that sends hundreds of unknown fields is told of the first ones."""

_EVENT_ID = TypeAdapter(EventId)
_TYPE_NAMES = frozenset({"event_type", "type", "action"})
_ALPHABET = "must start with a letter and hold only letters, digits, '_', '.', ':', '-' and spaces"
_RULES: Mapping[str, tuple[str, str]] = {
    "missing": ("missing", "is required"),
    "string_type": ("wrong_type", "must be text"),
    "string_pattern_mismatch": ("bad_format", _ALPHABET),
    "string_too_short": ("too_short", "must not be empty; leave it out instead"),
    "float_type": ("wrong_type", "must be a number"),
    "finite_number": ("not_finite", "must be a finite number"),
    "greater_than_equal": ("out_of_range", "must be 0 or more"),
    "bool_type": ("wrong_type", "must be true or false"),
    "dict_type": ("wrong_type", "must be a JSON object"),
    "printable": ("not_printable", "must hold printable characters only"),
}
"""Our code and words for each of Pydantic's error types; the rest word themselves."""
_OWN_WORDS: Mapping[str, str] = {
    "instant_type": "wrong_type",
    "instant_format": "bad_format",
    "instant_range": "out_of_range",
}


def _names() -> dict[str, str]:
    names = {}
    for field, info in IngestEvent.model_fields.items():
        alias = info.validation_alias
        spellings = alias.choices if isinstance(alias, AliasChoices) else [field]
        names.update({str(spelling): field for spelling in spellings})
    return names


FIELD_OF: Mapping[str, str] = _names()
"""Every name a client may use, and the field it means."""


def validate(raw: object, event_type: str | None = None) -> IngestEvent | tuple[FieldError, ...]:
    """Read one event, or tell everything that is wrong with it.

    Parameters
    ----------
    raw
        The event as decoded, or the error that kept it from being decoded, or the event itself.
    event_type
        The type in the path. With one, fields that are not an event's become its properties,
        and so do ``event_type``, ``type`` and ``action``, which have nothing else to say.

    Returns
    -------
    IngestEvent or tuple[FieldError, ...]
        The errors name each field as the client spelled it, and never its value.
    """
    if isinstance(raw, FieldError):
        return (raw,)
    if isinstance(raw, PlainEvent):
        return raw
    if violation := find_violation(raw):
        return (violation,)
    event: dict[str, Any] = raw  # type: ignore[assignment]  # find_violation lets no other pass
    if event_type is not None:
        typed = _with_type(event, event_type)
        if isinstance(typed, FieldError):
            return (typed,)
        event = typed
    try:
        return IngestEvent.model_validate(event)
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False, include_context=False)
        return tuple(_translate(each) for each in details[:MAX_ERRORS_PER_EVENT])


def usable_id(raw: object) -> str | None:
    """Return the id that a rejected event names itself by, for the client to find it."""
    event: dict[str, Any] = raw if isinstance(raw, dict) else {}
    try:
        return _EVENT_ID.validate_python(event.get("event_id"), strict=True)
    except ValidationError:
        return None


def _with_type(event: dict[str, Any], event_type: str) -> dict[str, Any] | FieldError:
    own = {n: v for n, v in event.items() if n in FIELD_OF and n not in _TYPE_NAMES}
    free = {n: v for n, v in event.items() if n not in own}
    if free.get("event_type") == event_type:
        del free["event_type"]
    name = "metadata" if "metadata" in own and "properties" not in own else "properties"
    properties = own.get(name)
    if free and (properties is None or isinstance(properties, dict)):
        for twice in free.keys() & (properties or {}).keys():
            message = f"{shown(twice)} is given at the top and in {name}; keep one of them"
            return FieldError(shown(twice), "duplicate_field", message)
        own[name] = {**free, **(properties or {})}
    return {**own, "event_type": event_type}


def _translate(detail: ErrorDetails) -> FieldError:
    kind = detail["type"]
    field = shown(str(detail["loc"][0]))
    if kind == "extra_forbidden":
        return _unknown(field)
    if kind == "string_too_long":
        limit = detail["msg"].removeprefix("String should have ")
        return FieldError(field, "too_long", f"{field} must have {limit}")
    if kind in _OWN_WORDS:
        return FieldError(field, _OWN_WORDS[kind], f"{field}: {detail['msg']}")
    rule, words = _RULES[kind]
    return FieldError(field, rule, f"{field} {words}")


def _unknown(name: str) -> FieldError:
    if name in FIELD_OF:
        others = [n for n, field in FIELD_OF.items() if field == FIELD_OF[name] and n != name]
        message = f"{name} and {' or '.join(others)} mean the same field; send one of them"
        return FieldError(name, "duplicate_field", message)
    message = f"{name} is not a field of an event; put fields of your own into properties"
    return FieldError(name, "unknown_field", message)
