"""EventBridge Scheduler's expressions: when a schedule is due. Pure.

Source: "Schedule types in EventBridge Scheduler" in the EventBridge Scheduler user guide. What is
rare there (``L``, ``W``, ``#``, names of days) is refused.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from eventstream.local.errors import TemplateError

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\(([^)]*)\)")
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_MINUTES = {"minute": 1, "hour": 60, "day": 1440}
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (1, 7), (1970, 2199))


@dataclass(frozen=True)
class Schedule:
    """A schedule whose expression was understood.

    Attributes
    ----------
    is_due
        Says of a whole minute, in the schedule's zone, whether it is due then.
    """

    expression: str
    zone: tzinfo
    is_due: Callable[[datetime], bool]

    def due_between(self, after: datetime, until: datetime) -> list[datetime]:
        """Return the instants in ``(after, until]`` at which the schedule is due, in UTC.

        Parameters
        ----------
        after, until
            Instants with a zone.
        """
        minute = after.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        found = []
        while minute <= until:
            if self.is_due(minute.astimezone(self.zone)):
                found.append(minute)
            minute += timedelta(minutes=1)
        return found


def parse(name: str, expression: str, zone: str = "UTC") -> Schedule:
    """Read a schedule expression.

    Parameters
    ----------
    name
        The schedule, for error messages.
    expression
        ``rate(...)``, ``cron(...)`` or ``at(...)``.
    zone
        Its time zone.

    Raises
    ------
    TemplateError
        The expression, or the zone, isn't understood.
    """
    where: tzinfo
    try:
        # A machine without a time zone database still knows UTC.
        where = UTC if zone == "UTC" else ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise TemplateError(f"{name}: there is no time zone {zone}") from None
    if match := _RATE.fullmatch(expression):
        every = int(match[1]) * _MINUTES[match[2]]
        if every < 1:
            raise TemplateError(f"{name}: {expression} must be at least one minute")
        return Schedule(expression, where, lambda at: int(at.timestamp()) // 60 % every == 0)
    if match := _AT.fullmatch(expression):
        once = datetime.fromisoformat(match[1]).replace(second=0, tzinfo=where)
        return Schedule(expression, where, lambda at: at == once)
    if match := _CRON.fullmatch(expression):
        return Schedule(expression, where, _cron(name, expression, match[1].split()))
    raise TemplateError(f"{name}: {expression} is neither rate(...), cron(...) nor at(...)")


def _cron(name: str, expression: str, fields: list[str]) -> Callable[[datetime], bool]:
    if len(fields) != len(_RANGES):
        raise TemplateError(f"{name}: {expression} must have six fields")
    minutes, hours, days, months, weekdays, years = (
        _field(name, text, low, high) for text, (low, high) in zip(fields, _RANGES, strict=True)
    )

    def is_due(at: datetime) -> bool:
        weekday = at.isoweekday() % 7 + 1  # cron counts from Sunday = 1
        return (
            at.minute in minutes
            and at.hour in hours
            and at.day in days
            and at.month in months
            and weekday in weekdays
            and at.year in years
        )

    return is_due


def _field(name: str, text: str, low: int, high: int) -> frozenset[int]:
    """Return the values that one field of a cron expression stands for."""
    values: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if not re.fullmatch(r"\*|\?|\d+(-\d+)?", span) or not re.fullmatch(r"|[1-9]\d*", step):
            raise TemplateError(f"{name}: the local scheduler doesn't know {part!r} in cron(...)")
        first, last = _span(span, low, high, open_ended=bool(step))
        if not low <= first <= last <= high:
            raise TemplateError(f"{name}: {part!r} in cron(...) must be within {low}-{high}")
        values.update(range(first, last + 1, int(step or 1)))
    return frozenset(values)


def _span(text: str, low: int, high: int, *, open_ended: bool) -> tuple[int, int]:
    if text in {"*", "?"}:
        return low, high
    first, _, last = text.partition("-")
    if last:
        return int(first), int(last)
    return int(first), high if open_ended else int(first)
