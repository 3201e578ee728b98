"""A decoder made of a Pydantic model, for JSON that leaves no doubt.

It is read off the schema that Pydantic itself validates with, and takes less: no other spelling
of a number or a truth value, no unknown field. What it does not take, the model is to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel

_SCALARS = {"str": str, "int": int, "bool": bool}
_BOUNDS = {"min_length", "max_length", "pattern", "ge", "le"}
"""What is asked of a value in the same words by both."""
_LEFT = {"type", "metadata"}


@dataclass(frozen=True, slots=True)
class Part:
    """What one field takes."""

    annotation: Any
    """The field's type, as msgspec reads it; of an instant its text, of an object its bytes."""
    kind: type
    after: tuple[Callable[[Any], Any], ...] = ()
    """What the model does to a value of that type, in order."""
    default: Any = msgspec.NODEFAULT


def parts_of(model: type[BaseModel]) -> dict[str, Part]:
    """Read the fields of a model.

    Raises
    ------
    TypeError
        The model asks for something of a field that is not known here how to ask for.
    """
    fields = model.__pydantic_core_schema__["schema"]["fields"]
    return {name: _part(field["schema"]) for name, field in fields.items()}


def struct_of(name: str, parts: Mapping[str, Part]) -> type[msgspec.Struct]:
    """Make a type of some fields, whose decoder refuses all others.

    It holds nothing that could lead back to itself, so the garbage collector need not look.
    """
    fields = [
        (field, part.annotation)
        if part.default is msgspec.NODEFAULT
        else (field, part.annotation, part.default)
        for field, part in parts.items()
    ]
    return msgspec.defstruct(
        name, fields, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True
    )


def _part(schema: Mapping[str, Any]) -> Part:
    """Read a node of Pydantic's schema."""
    inner = schema.get("schema")
    match schema:
        case {"type": "default", "default": default}:
            _hold_known(schema, {"schema", "default"})
            return replace(_part(inner or {}), default=default)
        case {"type": "nullable"}:
            _hold_known(schema, {"schema"})
            part = _part(inner or {})
            # Raw bytes take a null already, and can be in no union.
            takes_null = part.kind is dict or part.annotation is Any
            optional = part.annotation if takes_null else part.annotation | None
            return replace(part, annotation=optional)
        case {"type": "function-after", "function": {"type": "no-info", "function": after}}:
            _hold_known(schema, {"schema", "function"})
            part = _part(inner or {})
            return replace(part, after=(*part.after, after))
        case {"type": "function-before", "function": {"type": "no-info", "function": before}}:
            # It makes the instant of whatever comes; there is nothing left for the type to hold.
            _hold_known(schema, {"schema", "function"})
            if (inner or {}).keys() - _LEFT == {"microseconds_precision"}:
                return Part(Any, datetime, (before,))
    return _leaf(schema)


def _leaf(schema: Mapping[str, Any]) -> Part:
    match schema:
        case {"type": "str" | "int" | "bool" as name}:
            return _bounded(_SCALARS[name], schema)
        case {"type": "float", "allow_inf_nan": False}:
            return _bounded(float, schema)
        case {"type": "literal", "expected": expected}:
            _hold_known(schema, {"expected"})
            return Part(Literal[tuple(expected)], str)
        case {"type": "datetime", "tz_constraint": "aware"}:
            _hold_known(schema, {"tz_constraint", "microseconds_precision"})
            return Part(str, datetime)
        case {"type": "dict", "keys_schema": {"type": "str"}, "values_schema": {"type": "any"}}:
            _hold_known(schema, {"keys_schema", "values_schema"})
            return Part(msgspec.Raw, dict)
    raise TypeError(f"no decoder is known for what the model asks for: {schema!r}")


def _bounded(kind: type, schema: Mapping[str, Any]) -> Part:
    _hold_known(schema, _BOUNDS | {"allow_inf_nan"})
    bounds = {name: schema[name] for name in _BOUNDS if name in schema}
    if "pattern" in bounds:
        bounds["pattern"] = _to_the_end(bounds["pattern"])
    return Part(Annotated[kind, msgspec.Meta(**bounds)] if bounds else kind, kind)


def _to_the_end(pattern: str) -> str:
    """Respell a pattern that holds for a whole text: Python's ``$`` forgives a last line feed."""
    if not (pattern.startswith("^") and pattern.endswith("$")):
        raise TypeError(f"a pattern must hold for the whole text: {pattern!r}")
    return pattern[:-1] + r"\Z"


def _hold_known(schema: Mapping[str, Any], known: set[str]) -> None:
    if unknown := schema.keys() - known - _LEFT:
        raise TypeError(f"no decoder is known for {sorted(unknown)} of {schema!r}")
