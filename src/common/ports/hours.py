"""Which hours of event time have rows that the hourly result may not have seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol


class HourMarks(Protocol):
    """Raises the generation of hours; an hour is open while its result is of an older one."""

    def raise_generation(self, hours: Sequence[datetime]) -> None:
        """Add at least 1 to the generation of each hour, and open it.

        Call it after the hour's rows are in the lake: whoever reads the generation first and
        the rows second can then miss rows only if the generation grows past what was read.

        Raises
        ------
        ThrottledError, StoreError
            At least one hour may not be marked; the others may, and a repetition is harmless.
        """
