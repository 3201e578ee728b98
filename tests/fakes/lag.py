"""A stream reader whose lag is set by the test."""

from __future__ import annotations

from datetime import datetime, timedelta

from common.ports.lag import LagReader


class MemoryLag(LagReader):
    def __init__(self, age: timedelta | None = timedelta(0)) -> None:
        self.age = age

    def iterator_age(self, now: datetime) -> timedelta | None:
        return self.age
