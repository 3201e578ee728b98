"""How far the reading of the stream lags behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True)
class Lag:
    """What was last seen of the reading of the stream.

    Attributes
    ----------
    seen_at
        When it was seen. Of the time after it nothing is known, also when the reader has gone
        silent: what was seen earlier doesn't vouch for it.
    age
        The greatest iterator age of the last minutes.
    """

    seen_at: datetime
    age: timedelta

    @property
    def watermark(self) -> datetime:
        """Instant before which everything that was put into the stream has been read."""
        return self.seen_at - self.age


def slowest(lags: Sequence[Lag | None]) -> Lag | None:
    """Return the lag with the earliest watermark; ``None`` when one of them is not known.

    Examples
    --------
    >>> from datetime import UTC
    >>> ten = datetime(2026, 2, 20, 10, tzinfo=UTC)
    >>> quick, slow = Lag(ten, timedelta(0)), Lag(ten, timedelta(minutes=9))
    >>> slowest([quick, slow]) == slow
    True
    >>> slowest([quick, None]) is None
    True
    """
    known = [lag for lag in lags if lag is not None]
    if len(known) < len(lags):
        return None
    return min(known, key=lambda lag: lag.watermark, default=None)


class LagReader(Protocol):
    """Tells how far the reader of the stream was behind when it was last seen."""

    def read(self, now: datetime) -> Lag | None:
        """Return what was seen in the last minutes; ``None`` when nothing is known.

        Raises
        ------
        ThrottledError, StoreError
            The metrics do not answer.
        """
        ...
