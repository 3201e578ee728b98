"""A stream reader whose lag is set by the test."""

from __future__ import annotations

from datetime import datetime, timedelta

from common.ports.lag import Lag, LagReader


class MemoryLag(LagReader):
    def __init__(
        self, age: timedelta | None = timedelta(0), silence: timedelta = timedelta(0)
    ) -> None:
        self.age = age
        self.silence = silence

    def read(self, now: datetime) -> Lag | None:
        return None if self.age is None else Lag(now - self.silence, self.age)
