"""Which objects a command is about: by reason, stream and time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic_core import PydanticCustomError

from common.models import parse_instant
from eventstream.output import UsageProblemError
from eventstream.replay.failed import Failed
from eventstream.replay.kept import Kept, Listed

_AGO = re.compile(r"([1-9]\d{0,5})([mhdw])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_HOUR = re.compile(r"\d{4}-\d\d-\d\dT\d\d", re.ASCII)
_CLOCKS_DIFFER = timedelta(minutes=5)
"""By how much the stream's clock may be ahead of the bucket's."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What of the objects is wanted; everything when nothing is said."""

    reasons: frozenset[str] = frozenset()
    stream: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Not included."""

    def may_hold(self, listed: Listed) -> bool:
        """Say whether an object is worth reading: it was written after its record arrived."""
        return self.since is None or listed.written_at + _CLOCKS_DIFFER >= self.since

    def holds(self, one: Kept | Failed) -> bool:
        """Say whether an object is wanted."""
        stream = one.bad.position.stream if isinstance(one, Kept) else one.stream
        if self.stream is not None and stream != self.stream:
            return False
        if self.since is not None and one.at < self.since:
            return False
        if self.until is not None and one.at >= self.until:
            return False
        return not self.reasons or self._is_reason_of(one)

    def _is_reason_of(self, one: Kept | Failed) -> bool:
        if isinstance(one, Failed):
            return one.condition in self.reasons
        return not self.reasons.isdisjoint({one.bad.reason, *one.reasons})

    def of(self, listed: Iterable[Listed]) -> Iterator[Listed]:
        """Leave out what isn't worth reading."""
        return (one for one in listed if self.may_hold(one))


def choose(
    reasons: Sequence[str] | None,
    stream: str | None,
    since: str | None,
    until: str | None,
    now: datetime,
) -> Choice:
    """Read the options of a command.

    Raises
    ------
    UsageProblemError
        A time can't be read.
    """
    begin = None if since is None else moment("--since", since, now)
    end = None if until is None else moment("--until", until, now)
    return Choice(frozenset(reasons or ()), stream, begin, end)


def moment(option: str, text: str, now: datetime) -> datetime:
    """Read a time: an instant, a whole hour or day in UTC, or how long ago.

    >>> from datetime import UTC
    >>> moment("--since", "90m", datetime(2026, 2, 20, 9, 30, tzinfo=UTC)).isoformat()
    '2026-02-20T08:00:00+00:00'
    >>> moment("--since", "2026-02-20T09", datetime.now(UTC)).isoformat()
    '2026-02-20T09:00:00+00:00'
    """
    if match := _AGO.fullmatch(text):
        try:
            return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
        except OverflowError:
            raise UsageProblemError(f"{option} goes back before the year 1") from None
    if _HOUR.fullmatch(text):
        text = f"{text}:00:00Z"
    elif _DAY.fullmatch(text):
        text = f"{text}T00:00:00Z"
    try:
        return parse_instant(text)
    except PydanticCustomError:
        raise UsageProblemError(
            f"{option} must be an instant such as 2026-11-20T09:30:00Z, an hour (2026-11-20T09), "
            "a day (2026-11-20) or how long ago (90m, 24h, 7d)"
        ) from None
