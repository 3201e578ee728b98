"""Events and properties as a person types them, or hands them over in a small file."""

from __future__ import annotations

import json
from typing import Any

from eventstream.output import UsageProblemError, spell_json_error

MAX_EVENTS = 5_000
"""More than one request may hold is work for ``eventstream load``."""


def parse_properties(pairs: list[str]) -> dict[str, Any]:
    """Read ``KEY=VALUE`` pairs; a value that is JSON keeps its type, anything else is text.

    Raises
    ------
    UsageProblemError
        A pair has no ``=`` or no key.

    Examples
    --------
    >>> parse_properties(["total=9.5", "currency=EUR", 'sku="007"'])
    {'total': 9.5, 'currency': 'EUR', 'sku': '007'}
    """
    properties = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise UsageProblemError(f"--prop {pair!r}: write KEY=VALUE")
        try:
            properties[key] = _strict_json(text)
        except ValueError:
            properties[key] = text
    return properties


def parse_events(text: str) -> list[dict[str, Any]]:
    """Read one event, an array of events, or one event a line.

    Raises
    ------
    UsageProblemError
        It is none of these, or too many.
    """
    try:
        value = _strict_json(text)
        events = value if isinstance(value, list) else [value]
    except ValueError as error:
        lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        if len(lines) < 2 or not _is_json(lines[0][1]):  # one document, not one event a line
            raise UsageProblemError(f"the text {spell_json_error(error)}") from None
        events = [_line(number, line) for number, line in lines]
    if not all(isinstance(event, dict) for event in events):
        raise UsageProblemError("an event must be a JSON object")
    if not 1 <= len(events) <= MAX_EVENTS:
        raise UsageProblemError(
            f"{len(events)} events: `send` takes 1 to {MAX_EVENTS}; `eventstream load` takes more"
        )
    return events


def _line(number: int, line: str) -> Any:  # noqa: ANN401 - whatever the JSON says
    try:
        return _strict_json(line)
    except ValueError as error:
        raise UsageProblemError(f"the text {spell_json_error(error, number)}") from None


def _is_json(text: str) -> bool:
    try:
        _strict_json(text)
    except ValueError:
        return False
    return True


def _strict_json(text: str) -> Any:  # noqa: ANN401 - whatever the JSON says
    def refuse(name: str) -> float:
        raise ValueError(f"{name} is no number of JSON")

    return json.loads(text, parse_constant=refuse)
