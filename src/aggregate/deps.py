"""What the use cases of this function need from the outside, and the rules they go by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from aggregate.figures import HourFigures
from common.ports.aggregates import AggregateStore
from common.ports.alerts import AlertOutbox, AlertPublisher
from common.ports.lag import LagReader


class ReadHour(Protocol):
    """Computes the figures of an hour from all of the lake's objects of it."""

    def __call__(self, hour: datetime, known: Mapping[str, datetime]) -> HourFigures:
        """Read an hour; for ``known`` types see :func:`aggregate.figures.compute`."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings that the stack's parameters give."""

    threshold: float
    """Standard deviations from which on a window is an anomaly."""
    baseline: timedelta
    """How far back the hours reach that an hour is compared with."""
    grace: timedelta
    """How long after its end an hour waits for events that were slow to be sent."""
    max_hours: int
    """Hours of one scheduled run."""


@dataclass(frozen=True, slots=True)
class Deps:
    """The outside world."""

    store: AggregateStore
    alerts: AlertOutbox
    publisher: AlertPublisher
    lag: LagReader
    read_hour: ReadHour
    now: Callable[[], datetime]
    rules: Rules
