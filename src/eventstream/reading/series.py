"""A series of a metric as a person reads it: one line that shows its shape, then the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from eventstream.reading.sparkline import MARKS, sparkline

Points = Sequence[Mapping[str, Any]]

SCREENFUL = 14
"""Points in the table unless all are asked for: with what stands around it, 24 lines."""

_WIDTHS = {"5m": timedelta(minutes=5), "1h": timedelta(hours=1), "1d": timedelta(days=1)}
_GAP = 4
"""Least blanks between the first and the last time under a line."""


def minute(text: str) -> str:
    """Shorten an instant of the API to its minute, in UTC.

    >>> minute("2026-11-20T09:15:00.000Z")
    '2026-11-20 09:15'
    """
    return text[:16].replace("T", " ")


def heading(body: Mapping[str, Any]) -> str:
    """Say what a series is about."""
    name = "all types" if body["event_type"] == "*" else body["event_type"]
    return f"{body['metric']} of {name}, by {body['granularity']} (UTC), in {body['unit']}"


def drawing(body: Mapping[str, Any]) -> list[str]:
    """Draw a series that has points: the line, the times of its ends, its extremes.

    Parameters
    ----------
    body
        The API's answer.

    Returns
    -------
    list of str
        Lines of at most 80 characters.
    """
    values = without_gaps(body)
    line = sparkline(values)
    points: Points = body["points"]
    first, last = minute(points[0]["start"]), minute(points[-1]["start"])
    blanks = len(line) - len(first) - len(last)
    ends = f"{first}{' ' * blanks}{last}" if blanks >= _GAP else f"{first} to {last}"
    return [line, ends, *_extremes(values, points)]


def _extremes(values: Sequence[float | None], points: Points) -> list[str]:
    """Tell the lowest and the highest value, and of how many points a mark is the highest."""
    known = [value for value in values if value is not None]
    if not known:
        return []
    low, high = min(known), max(known)
    told = f"lowest {_number(low)}, highest {_number(high)}"
    if low != high:
        at = next(point["start"] for point in points if point["value"] == high)
        told += f" ({minute(at)})"
    if len(values) > MARKS:
        told += f"; a mark is the highest of {len(values) / MARKS:.1f} points"
    return [told]


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def without_gaps(body: Mapping[str, Any]) -> list[float | None]:
    """Return a value for each window from the first point to the last one."""
    values = {datetime.fromisoformat(point["start"]): point["value"] for point in body["points"]}
    nothing = 0 if body["metric"] in ("count", "errors") else None
    filled: list[float | None] = []
    at, end = min(values), max(values)
    while at <= end:
        filled.append(values.get(at, nothing))
        at += _WIDTHS[body["granularity"]]
    return filled
