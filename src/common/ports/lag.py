"""How far the reading of the stream lags behind."""

from __future__ import annotations

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
