"""Rules of AWS that moto does not hold its callers to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

_DIGITS = 38
_EXPRESSION_BYTES = 4_096


class LimitBrokenError(AssertionError):
    """A request that AWS would refuse."""


def check_request(request: Any) -> None:
    """Refuse what DynamoDB would refuse; other services' requests pass."""
    if "DynamoDB" not in _text(request.headers.get("X-Amz-Target", "")):
        return
    body = json.loads(request.body)
    for number in _numbers(body):
        if len(number.lstrip("-").replace(".", "").strip("0")) > _DIGITS:
            raise LimitBrokenError("a DynamoDB number holds 38 digits")
    for name, value in body.items():
        if name.endswith("Expression") and len(value.encode()) > _EXPRESSION_BYTES:
            raise LimitBrokenError("a DynamoDB expression holds 4 KB")


def _numbers(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name == "N" and isinstance(inner, str):
                yield inner
            else:
                yield from _numbers(inner)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
