"""JSON as RFC 8259 means it, and small enough to store: what Python's own reader lets through.

``json.loads`` keeps the last of two equal keys, reads ``NaN`` and ``1e999``, builds lone
surrogates and dies of deep nesting. :func:`decode` reads a body without raising for any of
these: what it must refuse becomes a :class:`Refused` in its place, so that one bad event of a
batch spoils only itself. :func:`find_violation` then holds one event against the bounds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeAlias

from common.errors import FieldError, InvalidRequestError

MAX_DEPTH = 20
"""Objects and arrays inside one another, the event itself counted."""
MAX_VALUES = 2_000
"""Values in one event: every member and element, nested ones too."""
MAX_TEXT_BYTES = 8_192
"""Length of one string or key in UTF-8."""

_SURELY_SHORT = MAX_TEXT_BYTES // 4  # no character takes more than four bytes
_SHOWN_NAME_BYTES = 64
_SHOWN_PATH_BYTES = 128
_ESCAPED = frozenset('"\\')
_INT64_DIGITS = 20
INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")

Trail: TypeAlias = "tuple[Trail, str | int] | None"
"""Where a value stands: its parent's trail, and its key or position there."""
_Container: TypeAlias = "dict[str, Any] | list[Any]"


@dataclass(frozen=True, slots=True)
class Refused:
    """Stands in the decoded document where a value was that no event may hold."""

    rule: str
    message: str
    key: str | None = None
    """The key that came twice."""

    def as_error(self) -> FieldError:
        """Return the error of a document that is nothing else."""
        return _error(None, self)


_NOT_FINITE = Refused("not_finite", "must be a finite number; NaN and Infinity are not JSON")
_TOO_BIG = Refused("out_of_range", "must fit into a signed 64-bit integer; send it as text")
_TOO_LONG = Refused("too_long", f"must have at most {MAX_TEXT_BYTES} bytes in UTF-8")
_TOO_MANY = Refused("too_many_values", f"may hold at most {MAX_VALUES} values in all")
_TOO_DEEP = Refused("too_deep", f"is nested too deeply; the limit is {MAX_DEPTH} levels")
_CONTROL = Refused(
    "control_character",
    "must hold no control characters (tab and line ends may stand) and no lone surrogates",
)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object] | Refused:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()  # a Counter takes twenty times as long, and a body may hold many such
    for key, _ in pairs:
        if key in seen:
            break
        seen.add(key)
    return Refused("duplicate_key", "is given twice in one object; keep one of them", key)


def _integer(digits: str) -> int | Refused:
    # Python refuses to read very long numbers, and takes quadratic time for long ones.
    return int(digits) if len(digits) <= _INT64_DIGITS else _TOO_BIG


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_constant=lambda _name: _NOT_FINITE
)


def decode(data: bytes, name: str = "body") -> object:
    """Read JSON bytes into Python values.

    Parameters
    ----------
    data
        UTF-8 without a byte order mark.
    name
        What the errors call the text, e.g. ``body``.

    Returns
    -------
    object
        The document, with :class:`Refused` in place of what strict JSON does not allow.

    Raises
    ------
    InvalidRequestError
        It is no JSON at all, is in another encoding, or is nested beyond what can be read.

    Examples
    --------
    >>> decode(b'{"a": [1, 2.5, "x"]}')
    {'a': [1, 2.5, 'x']}
    """
    text = _utf8(data, name)
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        reason = error.msg.partition(":")[0].lower()
        raise _invalid(
            name,
            "bad_json",
            f"is not valid JSON at line {error.lineno}, column {error.colno}: {reason}",
        ) from None
    except RecursionError:
        raise _invalid(
            name, "too_deep", f"is nested too deeply; the limit is {MAX_DEPTH} levels"
        ) from None


def _utf8(data: bytes, name: str) -> str:
    if not data.strip():
        raise _invalid(name, "empty", "is empty; send JSON")
    if b"\0" in data:
        raise _invalid(name, "bad_encoding", "holds NUL bytes; send JSON in UTF-8")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise _invalid(name, "bad_encoding", "is not UTF-8; send JSON in UTF-8") from None
    if text.startswith("\ufeff"):
        raise _invalid(name, "bad_encoding", "starts with a byte order mark; leave it out")
    return text


def _invalid(name: str, rule: str, problem: str) -> InvalidRequestError:
    message = f"the {name} {problem}"
    return InvalidRequestError(message, errors=[FieldError(name, rule, message)])


def find_violation(event: object) -> FieldError | None:
    """Return the first thing in a decoded event that breaks the bounds of an event.

    Parameters
    ----------
    event
        One event as :func:`decode` gave it.

    Returns
    -------
    FieldError or None
        Naming the field by its path, e.g. ``properties.items[3].sku``; ``event`` for the whole.
    """
    if isinstance(event, dict):
        return _walk(event)
    if isinstance(event, Refused):
        return event.as_error()
    return FieldError("event", "wrong_type", "an event must be a JSON object")


def _walk(event: dict[str, Any]) -> FieldError | None:
    # With a stack of its own and a bound on values, no document makes it recurse or run long.
    stack: list[tuple[_Container, Trail, int]] = [(event, None, 1)]
    values = 0
    while stack:
        container, trail, depth = stack.pop()
        values += len(container)
        if values > MAX_VALUES:
            return _error(None, _TOO_MANY)
        if isinstance(container, dict) and (found := _bad_name(container, trail)):
            return found
        for at, item in container.items() if isinstance(container, dict) else enumerate(container):
            kind = type(item)
            if kind is str and len(item) <= _SURELY_SHORT and item.isprintable():
                continue  # most values are such texts, and a call for each would be felt
            if kind is dict or kind is list:
                if depth == MAX_DEPTH:
                    return _error((trail, at), _TOO_DEEP)
                stack.append((item, (trail, at), depth + 1))
            elif (check := _CHECKS.get(kind)) and (refused := check(item)):
                return _error((trail, at), refused)
    return None


def _bad_name(container: dict[str, Any], trail: Trail) -> FieldError | None:
    if not _text("".join(container)):  # one look at all names, which are mostly fine
        return None
    refusals = ((name, _text(name)) for name in container)
    return next((_error((trail, name), refused) for name, refused in refusals if refused), None)


def _text(text: str) -> Refused | None:
    # Nearly every text is printable and short, and that is quick to see.
    if not text.isprintable() and _UNWANTED.search(text):
        return _CONTROL
    if len(text) > _SURELY_SHORT and len(text.encode()) > MAX_TEXT_BYTES:
        return _TOO_LONG
    return None


_CHECKS: dict[type, Callable[[Any], Refused | None]] = {
    str: _text,
    int: lambda number: None if INT64_MIN <= number <= INT64_MAX else _TOO_BIG,
    float: lambda number: None if isfinite(number) else _NOT_FINITE,
    Refused: lambda refused: refused,
}


def _error(trail: Trail, refused: Refused) -> FieldError:
    if refused.key is not None:
        trail = (trail, refused.key)
    path = _path(trail) or "event"
    return FieldError(path, refused.rule, f"{path} {refused.message}")


def _path(trail: Trail) -> str:
    parts: list[str] = []
    while trail is not None:
        trail, at = trail
        parts.append(f"[{at}]" if isinstance(at, int) else f".{shown(at)}")
    return _cut("".join(reversed(parts)).removeprefix("."), _SHOWN_PATH_BYTES)


def shown(name: str) -> str:
    """Return a client's field name as an answer may show it: short and printable.

    The answer to a full batch names thousands of fields, and must itself stay within limits.

    >>> shown("colour")
    'colour'
    >>> shown("x" * 1000)[-6:]
    'xxx...'
    """
    cut = _cut(name, _SHOWN_NAME_BYTES)
    # A quotation mark or backslash takes four bytes in an answer, escaped once and again.
    return "".join(c if c.isprintable() and c not in _ESCAPED else "?" for c in cut)


def _cut(text: str, most_bytes: int) -> str:
    data = text.encode("utf-8", "replace")
    if len(data) <= most_bytes:
        return text
    return data[: most_bytes - 3].decode("utf-8", "ignore") + "..."
