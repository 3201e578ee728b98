"""Read plain events from their text in a third of the time that the usual way takes.

The usual way reads JSON strictly (:mod:`common.domain.strict_json`), holds the bounds, and has
:class:`common.models.IngestEvent` decide. The decoder here is made of that model and takes less:
each field by its own name and no null. It lets two things pass that strict JSON does not, a name
that is given twice and an integer beyond 64 bits, and knows no bounds; but most events are small
and hold no escape, and of such a one it is quick to tell that there is nothing of the kind in it.

What is not plain goes the usual way. A property test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from common.domain.strict_json import (
    INT64_MAX,
    INT64_MIN,
    MAX_DEPTH,
    MAX_TEXT_BYTES,
    MAX_VALUES,
)
from common.domain.structs import Part, parts_of, struct_of
from common.models import IngestEvent

_MAX_BYTES = min(2 * MAX_VALUES, MAX_TEXT_BYTES)
"""A value takes two bytes at least, with the comma or the bracket before it."""
_MAX_ARRAY_BYTES = 1_000_000
"""An item is 50 bytes in memory, and an array that is made to harm has one in two bytes of text."""


def _as_decoded(part: Part) -> Part:
    """Take objects whole, and instants as they are: the model's own check reads them."""
    if part.kind is dict:
        return replace(part, annotation=dict[str, Any] | None)
    return replace(part, annotation=Any) if part.kind is datetime else part


_PARTS = {name: _as_decoded(part) for name, part in parts_of(IngestEvent).items()}
_FIELDS = [(name, next(iter(part.after), None)) for name, part in _PARTS.items()]

if TYPE_CHECKING:
    PlainEvent = IngestEvent
else:
    PlainEvent = struct_of("PlainEvent", _PARTS)

_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_event = msgspec.json.Decoder(PlainEvent).decode
# To type checkers a PlainEvent is an IngestEvent; as it runs, it is a Struct.
_values: Callable[[Any], tuple[Any, ...]] = msgspec.structs.astuple
_set: Callable[[Any, str, Any], None] = msgspec.structs.force_setattr


def items_of(array: bytes) -> Sequence[msgspec.Raw] | None:
    """Return the text of each item of a JSON array; ``None``: it is none, or not a small one."""
    if len(array) > _MAX_ARRAY_BYTES:
        return None
    try:
        return _items(array)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def read_plain(text: bytes) -> IngestEvent | None:
    """Return an event if its text leaves no doubt, else ``None``.

    Returns
    -------
    IngestEvent or None
        With the values that the model would have.

    Examples
    --------
    >>> read_plain(b'{"event_type": "click", "user_id": "u1"}').user_id
    'u1'
    >>> read_plain(b'{"event_type": "click", "event_type": "view"}') is None
    True
    """
    if len(text) > _MAX_BYTES or b"\\" in text:
        return None
    try:
        event, texts = _event(text), 0
        for (name, check), value in zip(_FIELDS, _values(event), strict=True):
            if value is None:
                continue
            texts += 2 if type(value) is str else 1 + _texts(value)
            if check is not None and (checked := check(value)) is not value:
                _set(event, name, checked)
    except Exception:  # whatever it is that this reader cannot do
        return None
    # Without an escape each quotation mark begins or ends a name or a text. What was overwritten
    # because its name came again is in the text and not in the event.
    return event if text.count(b'"') == 2 * texts else None


def _texts(value: Any, depth: int = 2) -> int:  # noqa: ANN401 - whatever JSON can hold
    """Count the texts in a value that is none itself, the names in it too.

    Raises
    ------
    OverflowError
        It is nested too deeply, or holds a number that is, or was, no integer of 64 bits.
    """
    kind = type(value)
    if kind is dict:
        count, items = len(value), value.values()
    elif kind is list:
        count, items = 0, value
    elif (kind is int or kind is float) and not INT64_MIN <= value <= INT64_MAX:
        raise OverflowError
    else:
        return 0
    if depth > MAX_DEPTH:
        raise OverflowError
    for item in items:
        # Most values are texts, and a call for each would be felt.
        count += 1 if type(item) is str else _texts(item, depth + 1)
    return count
