"""A line of the stream as an event.

:class:`StreamEventModel` decides what an event is, and words what is wrong with a line that is
none. Lines as ingest writes them are read by a decoder that is made of the same model, and takes a
line only if the model takes it with the same values; a property test holds the two together.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from pydantic import AfterValidator, AwareDatetime, Field, FiniteFloat, ValidationError

from common.domain.structs import parts_of, struct_of
from common.errors import FieldError, PoisonLineError
from common.models import EnrichedEvent, EventId, EventType, in_utc

_INT32_MAX = 2**31 - 1
_COMPACT = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))

_Instant = Annotated[AwareDatetime, AfterValidator(in_utc)]
"""Instants outside the years 1970..9998 are poison: no key or partition can name them."""


class StreamEventModel(EnrichedEvent):
    """An :class:`EnrichedEvent` that every later stage can store.

    Ingest writes nothing else, but the stream takes records from anybody who may write to it.
    """

    event_id: EventId
    event_type: EventType
    timestamp: _Instant
    latency_ms: Annotated[FiniteFloat, Field(ge=0)] | None = None
    original_timestamp: _Instant | None = None
    sent_at: _Instant | None = None
    received_at: _Instant
    ingested_at: _Instant
    schema_version: int = Field(ge=0, le=_INT32_MAX)


_PARTS = parts_of(StreamEventModel)
_OBJECTS = tuple(name for name, part in _PARTS.items() if part.kind is dict)
_INSTANTS = tuple(name for name, part in _PARTS.items() if part.kind is datetime)
_CHECKED = tuple(
    (name, check)
    for name, part in _PARTS.items()
    if part.kind is not datetime
    for check in part.after
)
[_CHECKS_OF_INSTANTS] = {part.after for part in _PARTS.values() if part.kind is datetime}

if TYPE_CHECKING:

    class StreamEvent(StreamEventModel):
        """An event as it is passed on: the model's fields, its objects as compact JSON text."""

        properties: str | None  # type: ignore[assignment]
        context: str | None  # type: ignore[assignment]
else:
    StreamEvent = struct_of("StreamEvent", _PARTS)

_ONE, _OTHER = (f'"{name}"'.encode() for name in _OBJECTS)
_objects_of = attrgetter(*_OBJECTS)
_instants_of = attrgetter(*_INSTANTS)
_decode = msgspec.json.Decoder(StreamEvent).decode
# To the type checker an event is a model, which is no struct.
_set: Callable[[Any, str, object], None] = msgspec.structs.force_setattr

_MAX_INSTANT = len("2026-11-20T09:15:00.123456Z")
"""A longer text can have more digits than microseconds, which are to be cut and not rounded."""
_MAX_OBJECT_DEPTH = 100
"""Far below the depth from which on Pydantic takes no JSON."""


class _InstantsByText(dict[str, datetime]):
    """Instants that were read already: lines of one request share most of theirs."""

    def __missing__(self, text: str) -> datetime:
        if len(text) > _MAX_INSTANT:
            raise ValueError("the text may name less than a microsecond")
        instant = msgspec.convert(text, datetime)
        if instant.tzinfo is None:
            raise ValueError("the text names no zone")
        for check in _CHECKS_OF_INSTANTS:
            instant = check(instant)
        self[text] = instant
        return instant


class EventReader:
    """Reads lines; remembers their instants, so use one for a batch and not for longer."""

    def __init__(self) -> None:
        self._instants = _InstantsByText()

    def read_plain(self, line: bytes) -> StreamEvent | None:
        """Return a line's event if it is spelled as ingest spells events, else ``None``."""
        if _may_name_an_object_twice(line):
            return None
        try:
            event = _decode(line)
            for name, check in _CHECKED:
                value = getattr(event, name)
                if value is not None and check(value) != value:
                    return None
            instants = self._instants
            for name, text in zip(_INSTANTS, _instants_of(event), strict=True):
                if text is not None:
                    _set(event, name, instants[text])
            for name, raw in zip(_OBJECTS, _objects_of(event), strict=True):
                if raw is not None:
                    _set(event, name, _compact_text(bytes(raw)))
        except Exception:  # whatever it is that the decoder cannot do: the model decides
            return None
        return event


def _may_name_an_object_twice(line: bytes) -> bool:
    """Tell whether there may be an object that the decoder passes over without a look into it."""
    # By a letter's number a name can be spelled in other ways.
    is_escaped = b"\\" in line and b"\\u" in line
    return is_escaped or line.count(_ONE) > 1 or line.count(_OTHER) > 1


def read_any(line: bytes) -> StreamEvent:
    """Return a line's event as the model reads it.

    Raises
    ------
    PoisonLineError
        It is none; with the first rule that it breaks.
    """
    try:
        event = StreamEventModel.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise poison(first["type"], field, first["msg"]) from None
    fields = dict(event)
    return StreamEvent(**fields | {name: _json_text(name, fields[name]) for name in _OBJECTS})


def poison(rule: str, field: str, message: str) -> PoisonLineError:
    """Return the error of a line that no retry can fix."""
    return PoisonLineError(message, errors=[FieldError(field, rule, message)])


def _json_text(field: str, value: dict[str, Any] | None) -> str | None:
    """Spell an object as JSON that any reader takes; Pydantic does not look into it."""
    if value is None:
        return None
    try:
        return _COMPACT.encode(value)
    except ValueError:
        raise poison("finite_number", field, "a number in it has no JSON spelling") from None


def _as_python_spells(number: str) -> float:
    value = float(number)
    if repr(value) != number:
        raise ValueError("Python spells the number differently")
    return value


_decode_value = msgspec.json.Decoder(float_hook=_as_python_spells).decode
_encode_value = msgspec.json.Encoder().encode


def _compact_text(raw: bytes) -> str | None:
    """Return the text of an object that is what :func:`_json_text` would make of its value.

    That is so if it comes out again as it went in: then it has no spaces, no field twice, and no
    character in another spelling than its shortest, which is Python's too.

    Raises
    ------
    Exception
        It is not known to be so, or it is no object.
    """
    if raw == b"null":
        return None
    if len(raw) > _MAX_OBJECT_DEPTH and raw.count(b"{") + raw.count(b"[") > _MAX_OBJECT_DEPTH:
        raise ValueError("the object may be too deep")
    value = _decode_value(raw)
    if type(value) is not dict or _encode_value(value) != raw:
        raise ValueError("the object is no object, or spelled differently")
    return raw.decode()
