"""What is wrong in a mapping file, in words that name the key and its rule."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_RULES: Mapping[str, str] = {
    "missing": "is missing",
    "string_type": "must be a text in quotes",
    "string_pattern_mismatch": (
        "must be an event type: a letter, then at most 127 letters, digits, blanks and _ . : -"
    ),
    "string_too_short": "must be one character",
    "string_too_long": "must be one character",
    "model_type": "must be a table",
    "cell": "must be the name of a column in quotes, or a table with `column`",
    "dict_type": "must be a table",
    "tuple_type": "must be a list of tables, each begun by [[event.rules]]",
}
"""The rule behind each kind of error that a mapping's types can raise."""


def spell(error: ErrorDetails, keys: Sequence[str]) -> str:
    """Spell one error of a mapping file.

    Parameters
    ----------
    error
        What Pydantic found.
    keys
        The keys that the table has in which it found it.

    Examples
    --------
    >>> extra = {"type": "extra_forbidden", "loc": ("timestamp", "zon"), "msg": "", "input": 1}
    >>> spell(extra, ["column", "format", "zone"])
    'timestamp.zon is no key of a mapping: did you mean zone?'
    """
    kind, context, place = error["type"], error.get("ctx", {}), _place(error["loc"])
    if kind == "extra_forbidden":
        return f"{place} is no key of a mapping: {_meant(str(error['loc'][-1]), keys)}"
    if kind == "value_error":  # raised by a mapping's own checks, in words of ours
        return f"{place}: {context['error']}"
    if kind == "literal_error":
        return f"{place} must be {context['expected']}"
    if kind == "model_type" and error["loc"][0] not in ("event", "timestamp"):
        kind = "cell"
    rule = _RULES.get(kind) or f"does not fit: {error['msg'].lower()}"
    return f"{place} {rule}"


def _place(parts: Sequence[str | int]) -> str:
    """Spell where an error is.

    >>> _place(("event", "rules", 0, "when"))
    'event.rules[0].when'
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".")


def _meant(key: str, keys: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, keys, n=1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(keys)}"
