"""Plain values as DynamoDB's attribute values, and back; its number type shows nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from common.domain.windows import rfc3339

DECIMALS = 3
"""Digits that are kept behind the point of a fraction."""


def to_item(values: Mapping[str, object]) -> dict[str, Any]:
    """Return an item of some values; those that are ``None`` are left out.

    Instants become RFC 3339 text, and fractions are rounded to :data:`DECIMALS`.
    """
    return {name: _attribute(value) for name, value in values.items() if value is not None}


def _attribute(value: object) -> dict[str, Any]:
    for kinds, name, spell in _SPELLINGS:
        if isinstance(value, kinds):
            return {name: spell(value)}
    raise TypeError(f"no attribute value is defined for a {type(value).__name__}")


_SPELLINGS: tuple[tuple[type | tuple[type, ...], str, Callable[[Any], object]], ...] = (
    (bool, "BOOL", bool),  # before int, which it is one of
    (int, "N", str),
    (float, "N", lambda number: repr(round(number, DECIMALS))),
    (str, "S", str),
    (datetime, "S", rfc3339),
    (Mapping, "M", to_item),
    ((list, tuple), "L", lambda values: [_attribute(each) for each in values]),
)


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of an item; numbers are ``int`` where they are whole, else ``float``."""
    return {name: _value(attribute) for name, attribute in item.items()}


def _value(attribute: Mapping[str, Any]) -> object:
    [(kind, value)] = attribute.items()
    if kind == "N":
        return int(value) if value.removeprefix("-").isdigit() else float(value)
    if kind == "M":
        return from_item(value)
    if kind == "L":
        return [_value(each) for each in value]
    return value
