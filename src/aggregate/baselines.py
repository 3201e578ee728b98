"""The past that hours are compared with, read once for all hours of an invocation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from common.domain.anomaly import PastHour, baseline_of
from common.domain.windows import hours_between
from common.models import AggregationResult
from common.ports.aggregates import AggregateStore, HourSummary


class Baselines:
    """Past hours by type: one range query for each type, and what this invocation adds.

    Parameters
    ----------
    store
        Where results are.
    span
        How far back a baseline reaches.
    hours
        The hours that will be judged, oldest first.
    """

    def __init__(self, store: AggregateStore, span: timedelta, hours: Sequence[datetime]) -> None:
        self._store = store
        self._span = span
        self._start, self._end = hours[0] - span, hours[-1]
        self._final_hours: set[datetime] | None = None
        self._history: dict[str, dict[datetime, PastHour]] = {}

    def load(self, event_types: Sequence[str]) -> None:
        """Read what is not there yet."""
        missing = [each for each in event_types if each not in self._history]
        if missing:
            self._history.update(self._store.history(missing, self._start, self._end))
        if self._final_hours is None:
            self._final_hours = self._store.final_hours(self._start, self._end)

    def before(self, event_type: str, hour: datetime, first_hour: datetime) -> list[PastHour]:
        """Return the baseline of a loaded type for one hour."""
        return baseline_of(
            self._history[event_type],
            hours_between(hour - self._span, hour),
            final_hours=self._final_hours or set(),
            first_hour=first_hour,
        )

    def learn(self, summary: HourSummary, results: Sequence[AggregationResult]) -> None:
        """Take in an hour that was written; the hours after it are compared with it."""
        hour = summary.hour
        if self._final_hours is not None:
            self._final_hours.discard(hour)
            if summary.status == "final" and not summary.folded:
                self._final_hours.add(hour)
        for result in results:
            if result.event_type in self._history:
                self._history[result.event_type][hour] = PastHour.of(result)
