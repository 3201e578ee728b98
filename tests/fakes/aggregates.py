"""The aggregates table's results, hour states and catalogue in memory.

Each write is one step, as each is one call in DynamoDB, and ``step`` is called before it: a test
can crash or suspend the caller there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from common.domain.anomaly import PastHour
from common.errors import ConditionLostError
from common.models import AggregationResult
from common.ports.aggregates import AggregateStore, HourProgress, HourSummary, TypeSpan
from common.ports.hours import HourMarks

Step = Callable[[str], None]


def no_step(_: str) -> None:
    """Let the caller go on."""


class MemoryAggregates(AggregateStore, HourMarks):
    def __init__(self, step: Step = no_step) -> None:
        self.step = step
        self.progress: dict[datetime, HourProgress] = {}
        self.summaries: dict[datetime, HourSummary] = {}
        self.results: dict[tuple[str, datetime], AggregationResult] = {}
        self.spans: dict[str, TypeSpan] = {}
        self.calls: list[str] = []

    def raise_generation(self, hours: Sequence[datetime]) -> None:
        for hour in hours:
            self._call("raise_generation")
            old = self._progress(hour)
            self.progress[hour] = replace(old, generation=old.generation + 1, is_open=True)

    def hour(self, hour: datetime) -> HourProgress:
        self._call("hour")
        return self._progress(hour)

    def begin(self, hour: datetime) -> HourProgress:
        self._call("begin")
        old = self._progress(hour)
        self.progress[hour] = replace(old, attempt=old.attempt + 1, is_open=True)
        return self.progress[hour]

    def open_hours(self, before: datetime) -> list[HourProgress]:
        self._call("open_hours")
        return [one for hour, one in sorted(self.progress.items()) if one.is_open and hour < before]

    def final_hours(self, start: datetime, end: datetime) -> set[datetime]:
        self._call("final_hours")
        return {
            hour
            for hour, one in self.progress.items()
            if one.status == "final" and start <= hour < end and not self._has_folded(hour)
        }

    def result(self, event_type: str, hour: datetime) -> AggregationResult | None:
        self._call("result")
        return self.results.get((event_type, hour))

    def history(
        self, event_types: Sequence[str], start: datetime, end: datetime
    ) -> dict[str, dict[datetime, PastHour]]:
        found: dict[str, dict[datetime, PastHour]] = {}
        for event_type in event_types:
            self._call("history")
            found[event_type] = {
                hour: PastHour.of(result)
                for (name, hour), result in self.results.items()
                if name == event_type and start <= hour < end
            }
        return found

    def known_types(self) -> dict[str, TypeSpan]:
        self._call("known_types")
        return dict(self.spans)

    def widen_types(self, event_types: Sequence[str], hour: datetime) -> None:
        for event_type in event_types:
            self._call("widen_type")
            old = self.spans.get(event_type, TypeSpan(event_type, hour, hour))
            first, last = min(old.first_hour, hour), max(old.last_hour, hour)
            self.spans[event_type] = TypeSpan(event_type, first, last)

    def put_results(self, results: Sequence[AggregationResult]) -> None:
        for result in results:
            self._call("put_result")
            key = (result.event_type, result.window_start)
            old = self.results.get(key)
            if old is not None and not _replaces(result, old):
                raise ConditionLostError("a newer result is there")
            self.results[key] = result

    def finish_hour(self, summary: HourSummary) -> None:
        if summary.status == "final":
            self._call("close_hour")
            now = self._progress(summary.hour)
            is_same = (now.generation, now.attempt) == (summary.generation, summary.attempt)
            if self._is_newest(summary) and is_same:
                self._write(summary, is_open=False)
                return
        self._call("keep_hour_open")
        if not self._is_newest(summary):
            raise ConditionLostError("a later attempt was finished meanwhile")
        self._write(summary, is_open=True)

    def reopen_hour(self, hour: datetime) -> None:
        self._call("reopen_hour")
        self.progress[hour] = replace(self._progress(hour), is_open=True)

    def _is_newest(self, summary: HourSummary) -> bool:
        old = self.summaries.get(summary.hour)
        return old is None or _replaces(summary, old)

    def _has_folded(self, hour: datetime) -> bool:
        return hour in self.summaries and self.summaries[hour].folded > 0

    def _write(self, summary: HourSummary, *, is_open: bool) -> None:
        self.summaries[summary.hour] = summary
        self.progress[summary.hour] = replace(
            self._progress(summary.hour),
            aggregated_generation=summary.generation,
            status=summary.status,
            is_open=is_open,
        )

    def _progress(self, hour: datetime) -> HourProgress:
        return self.progress.get(hour, HourProgress(hour))

    def _call(self, name: str) -> None:
        self.step(name)
        self.calls.append(name)


def _replaces(new: AggregationResult | HourSummary, old: AggregationResult | HourSummary) -> bool:
    keeps_final = old.status == "final" and old.generation == new.generation
    return old.attempt <= new.attempt and not (new.status == "provisional" and keeps_final)
