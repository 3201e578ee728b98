"""Generations of hours in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from common.domain.windows import iso_hour
from common.ports.hours import HourMarks


class MemoryHourMarks(HourMarks):
    def __init__(self) -> None:
        self.generations: Counter[str] = Counter()
        self.opened: set[str] = set()

    def raise_generation(self, hours: Sequence[datetime]) -> None:
        for hour in hours:
            self.generations[iso_hour(hour)] += 1
            self.opened.add(iso_hour(hour))
