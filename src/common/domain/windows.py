"""Hours and five-minute windows of event time, all UTC and half-open ``[start, end)``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

HOUR = timedelta(hours=1)
METRIC_WINDOW = timedelta(minutes=5)
"""Width of the windows of the hot metrics."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO_HOUR = "%Y-%m-%dT%H"


def hour_of(instant: datetime) -> datetime:
    """Return the start of the hour that holds an aware instant, in UTC.

    >>> hour_of(datetime(2026, 2, 20, 14, 59, 59, tzinfo=UTC)).isoformat()
    '2026-02-20T14:00:00+00:00'
    """
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def metric_window_of(instant: datetime) -> datetime:
    """Return the start of the five-minute window that holds an aware instant, in UTC.

    >>> metric_window_of(datetime(2026, 2, 20, 14, 59, 59, tzinfo=UTC)).minute
    55
    """
    utc = instant.astimezone(UTC)
    return utc.replace(minute=utc.minute - utc.minute % 5, second=0, microsecond=0)


def iso_hour(instant: datetime) -> str:
    """Name the hour that holds an aware instant, as keys spell it.

    >>> iso_hour(datetime(2026, 2, 20, 14, 30, tzinfo=UTC))
    '2026-02-20T14'
    """
    utc = instant.astimezone(UTC)
    # Not strftime: it does not pad years, and names must sort as text.
    return f"{utc.year:04d}-{utc.month:02d}-{utc.day:02d}T{utc.hour:02d}"


def parse_iso_hour(name: str) -> datetime:
    """Return the start of an hour named by :func:`iso_hour`.

    Raises
    ------
    ValueError
        ``name`` is not of the form ``2026-02-20T14``.
    """
    return datetime.strptime(name, _ISO_HOUR).replace(tzinfo=UTC)


def hours_between(start: datetime, end: datetime) -> list[datetime]:
    """List the starts of the whole hours in ``[start, end)``, oldest first.

    ``start`` is cut down to its hour; an empty or reversed span gives an empty list.
    """
    hour, hours = hour_of(start), []
    while hour < end:
        hours.append(hour)
        hour += HOUR
    return hours


def to_ms(instant: datetime) -> int:
    """Return an aware instant as epoch milliseconds, the rest cut off.

    >>> to_ms(datetime(1970, 1, 1, 0, 0, 1, 500_999, tzinfo=UTC))
    1500
    """
    since = instant - _EPOCH
    # By its parts: dividing one span by another takes four times as long, and events have many.
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def from_ms(epoch_ms: int) -> datetime:
    """Return epoch milliseconds as an aware UTC instant, without float rounding.

    Raises
    ------
    OverflowError
        The instant is outside the years 1..9999.
    """
    return _EPOCH + timedelta(milliseconds=epoch_ms)


def rfc3339(instant: datetime) -> str:
    """Spell an aware instant as every JSON answer does: UTC, milliseconds, ``Z``.

    >>> rfc3339(datetime(2026, 2, 20, 14, 30, tzinfo=UTC))
    '2026-02-20T14:30:00.000Z'
    """
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
