"""What is wrong with an event's properties, in words that hold the schema's values only.

The validator's own messages repeat the client's values; these are made of keyword and path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from common.domain.strict_json import shown
from common.errors import FieldError

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError

_LONGEST_PATH_BYTES = 128
"""The answer to a full batch names a path for each event, twice, and must stay within limits."""

_WORDS: Mapping[str, Callable[[Any], str]] = {
    "required": lambda _: "is required",
    "type": lambda kind: f"must be of type {' or '.join(kind.types)}",
    "minimum": lambda kind: f"must be at least {kind.limit}",
    "maximum": lambda kind: f"must be at most {kind.limit}",
    "exclusiveMinimum": lambda kind: f"must be more than {kind.limit}",
    "exclusiveMaximum": lambda kind: f"must be less than {kind.limit}",
    "multipleOf": lambda kind: f"must be a multiple of {kind.multiple_of}",
    "minLength": lambda kind: f"must have at least {kind.limit} characters",
    "maxLength": lambda kind: f"must have at most {kind.limit} characters",
    "minItems": lambda kind: f"must have at least {kind.limit} items",
    "maxItems": lambda kind: f"must have at most {kind.limit} items",
    "minProperties": lambda kind: f"must have at least {kind.limit} members",
    "maxProperties": lambda kind: f"must have at most {kind.limit} members",
    "uniqueItems": lambda _: "must hold no item twice",
    "enum": lambda _: "must be one of the values that are listed",
    "const": lambda _: "must be the one value that is allowed",
    "pattern": lambda _: "must match the pattern",
    "format": lambda kind: f"must be a valid {kind.format}",
    "additionalProperties": lambda _: "is not a property of this event",
    "unevaluatedProperties": lambda _: "is not a property of this event",
    "falseSchema": lambda _: "must be left out",
}
"""Words for each keyword; the arguments are the schema's own."""


def as_error(error: ValidationError, schema: str) -> FieldError:
    """Say what an event breaks of a schema.

    Returns
    -------
    FieldError
        With the path below ``properties``, and the keyword as rule: ``schema:minimum``.
    """
    keyword = error.kind.name
    words = _WORDS.get(keyword)
    broken = words(error.kind) if words else f"does not satisfy {keyword}"
    path = _path(["properties", *error.instance_path, *_member(error.kind)])
    return FieldError(path, f"schema:{keyword}", f"{path} {broken} (schema {schema})")


def _path(parts: Sequence[str | int]) -> str:
    steps = (f"[{part}]" if isinstance(part, int) else f".{shown(part)}" for part in parts)
    path = "".join(steps).removeprefix(".")
    data = path.encode()  # shown names hold no half of a surrogate pair
    if len(data) <= _LONGEST_PATH_BYTES:
        return path
    return data[: _LONGEST_PATH_BYTES - 3].decode("utf-8", "ignore") + "..."


def _member(kind: Any) -> list[str]:  # noqa: ANN401 - a class of its own for each keyword
    """Name the member that is missing, or the first that is too many."""
    if kind.name == "required":
        return [kind.property]
    if kind.name in ("additionalProperties", "unevaluatedProperties"):
        return list(kind.unexpected[:1])
    return []
