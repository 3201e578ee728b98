"""When an hour is over: nothing of it can still be on its way through the stream."""

from __future__ import annotations

from datetime import datetime, timedelta

from common.domain.windows import HOUR
from common.ports.lag import LagReader


def read_watermark(lag: LagReader, now: datetime) -> datetime | None:
    """Return the instant before which everything that was put into the stream has been read.

    It is the time at which the reader was last seen, less how far it was behind. Not now less
    that: a reader that went silent has read nothing since. So the watermark trails the present by
    a minute or two even when all is read, and an hour becomes final as much later. With several
    streams it is that of the one that is furthest behind.

    ``None`` when the lag is not known: then nothing can be said of any hour.
    """
    seen = lag.read(now)
    return None if seen is None else seen.watermark


def is_final(hour: datetime, watermark: datetime | None, grace: timedelta) -> bool:
    """Say whether the hour is closed, its grace has passed, and the stream is drained beyond it.

    One comparison says all three, since the watermark is never later than now.

    Examples
    --------
    >>> from datetime import UTC
    >>> nine = datetime(2026, 2, 20, 9, tzinfo=UTC)
    >>> is_final(nine, nine + timedelta(minutes=65), timedelta(minutes=5))
    True
    >>> is_final(nine, nine + timedelta(minutes=64), timedelta(minutes=5))
    False
    """
    return watermark is not None and watermark >= hour + HOUR + grace
