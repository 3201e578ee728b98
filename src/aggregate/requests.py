"""What this function is asked, as checked values; every broken rule is told at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic_core import PydanticCustomError

from common.domain.windows import HOUR, hour_of, hours_between
from common.errors import FieldError, InvalidRequestError
from common.models import parse_instant

MAX_RANGE_HOURS = 744
"""Hours of a range in one run: a month of 31 days.

Bounded by Step Functions: an execution's history ends at 25,000 events, of which an hour takes 9
and each retry 3 more, so that even six retries of every hour fit; and the windows and results of
all hours pass from state to state in 256 KiB.
"""

_WINDOW = ("window_start", "window_end")


def read_range(request: Mapping[str, Any], now: datetime) -> list[datetime] | None:
    """Return the hours of ``[window_start, window_end)``, oldest first.

    Returns
    -------
    list of datetime, or None
        ``None`` when neither of the two is given.

    Raises
    ------
    InvalidRequestError
        Naming each field that is missing, is no instant or no whole hour in UTC, or the range
        that is reversed, longer than :data:`MAX_RANGE_HOURS` or not begun yet.
    """
    if all(request.get(name) is None for name in _WINDOW):
        return None
    problems: list[FieldError] = []
    start, end = (_whole_hour(request, name, problems) for name in _WINDOW)
    if start is not None and end is not None:
        problems.extend(_range_problems(start, end, now))
    if problems or start is None or end is None:
        raise _refusal(problems)
    return hours_between(start, end)


def require_range(request: Mapping[str, Any], now: datetime) -> list[datetime]:
    """Return the hours of a range that must be given; see :func:`read_range`."""
    hours = read_range(request, now)
    if hours is None:
        raise _refusal([_missing(name) for name in _WINDOW])
    return hours


def read_scheduled_hour(request: Mapping[str, Any]) -> datetime:
    """Return the hour that had just closed at the scheduled time, whenever the run began.

    A run that was started by hand has no scheduled time; its own start stands in for it.

    Raises
    ------
    InvalidRequestError
        There is no scheduled time, or it is no instant.
    """
    problems: list[FieldError] = []
    name = "scheduled_time" if request.get("scheduled_time") else "execution_started_at"
    instant = _instant(request, name, problems)
    if instant is None:
        raise _refusal(problems)
    return hour_of(instant) - HOUR


def _whole_hour(
    request: Mapping[str, Any], name: str, problems: list[FieldError]
) -> datetime | None:
    instant = _instant(request, name, problems)
    if instant is not None and instant != hour_of(instant):
        message = "must be a whole hour in UTC, like 2026-02-20T14:00:00Z"
        problems.append(FieldError(name, "whole_hour", message))
        return None
    return instant


def _instant(request: Mapping[str, Any], name: str, problems: list[FieldError]) -> datetime | None:
    value = request.get(name)
    if value is None:
        problems.append(_missing(name))
        return None
    try:
        return parse_instant(value)
    except PydanticCustomError as error:
        problems.append(FieldError(name, error.type, error.message()))
        return None


def _missing(name: str) -> FieldError:
    return FieldError(name, "missing", "is needed: an instant like 2026-02-20T14:00:00Z")


def _range_problems(start: datetime, end: datetime, now: datetime) -> list[FieldError]:
    if start >= end:
        return [FieldError("window_end", "order", "must be after window_start")]
    problems = []
    hours = (end - start) // HOUR
    if hours > MAX_RANGE_HOURS:
        message = (
            f"ends {hours} hours after window_start, and {MAX_RANGE_HOURS} are the most of one "
            "run: ask for the range in parts, oldest first"
        )
        problems.append(FieldError("window_end", "too_long", message))
    if end > hour_of(now) + HOUR:
        message = "must not be after the end of the hour that is running now"
        problems.append(FieldError("window_end", "future", message))
    return problems


def _refusal(problems: list[FieldError]) -> InvalidRequestError:
    told = "; ".join(f"{each.field} {each.message}" for each in problems)
    return InvalidRequestError(f"the window is not valid: {told}", errors=problems)
