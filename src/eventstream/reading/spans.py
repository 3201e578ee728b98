"""Spans of time as a person gives them to a command."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from pydantic_core import PydanticCustomError

from common.domain.windows import rfc3339
from common.models import parse_instant
from eventstream.output import UsageProblemError

_DURATION = re.compile(r"([1-9]\d{0,5})([mhdw])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def span(
    first: str | None, end: str | None, last: str | None, now: datetime
) -> dict[str, str | None]:
    """Return the parameters ``from`` and ``to`` of a request.

    Parameters
    ----------
    first, end
        As the API takes them; ``None`` leaves them to the API.
    last
        How long before ``end`` the span starts, such as ``90m`` or ``7d``, instead of ``first``.
    now
        The end that ``last`` counts from when ``end`` is not given.

    Raises
    ------
    UsageProblemError
        ``last`` is no duration, or stands beside ``first``; ``end`` is no instant to count from.

    Examples
    --------
    >>> from datetime import UTC
    >>> span(None, None, "90m", datetime(2026, 2, 20, 9, 30, tzinfo=UTC))
    {'from': '2026-02-20T08:00:00.000Z', 'to': None}
    """
    if last is None:
        return {"from": first, "to": end}
    match = _DURATION.fullmatch(last)
    if match is None:
        raise UsageProblemError("--last must be a number and m, h, d or w, such as 90m or 7d")
    if first is not None:
        raise UsageProblemError("give --from or --last, not both")
    length = timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        start = (now if end is None else _instant(end)) - length
    except OverflowError:
        raise UsageProblemError("--last goes back before the year 1") from None
    return {"from": rfc3339(start), "to": end}


def _instant(text: str) -> datetime:
    try:
        return parse_instant(int(text) if text.isdecimal() else text)
    except PydanticCustomError as error:
        raise UsageProblemError(f"--to {error.message()}") from None
