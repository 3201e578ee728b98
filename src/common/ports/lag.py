"""How far the reading of the stream lags behind."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol


class LagReader(Protocol):
    """Tells the age of the newest record that has been read."""

    def iterator_age(self, now: datetime) -> timedelta | None:
        """Return the greatest iterator age of the last minutes; ``None`` when nothing is known.

        Raises
        ------
        ThrottledError, StoreError
            The metrics do not answer.
        """
        ...
