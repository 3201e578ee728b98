"""Designs that are known to be wrong. The harness is alive only while it finds them out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from common.domain.decode import StreamLine
from common.domain.hot import HotWindow, by_window, counted
from common.domain.keys import lake_prefix
from common.domain.windows import HOUR, hour_of
from common.ports.hot import HotStore
from common.ports.lake import LakeObject
from faults.simulation import Invoke, Subject
from faults.world import RemoteHotStore
from process.counters import HotCounters
from process.service import Deps, lines_by_hour, process


class NaiveAdd:
    """Adds each batch to the counters, without a condition."""

    def __init__(self, store: RemoteHotStore, max_types: int) -> None:
        self._store, self._max_types = store, max_types

    def add(self, lines: Iterable[StreamLine]) -> None:
        for key, records in by_window(lines).items():
            self._store.add_blindly(key, counted(None, records, max_types=self._max_types))


class SkipsInsteadOfFiltering:
    """Leaves a batch out whole when its first record is counted already."""

    def __init__(self, store: HotStore, max_types: int) -> None:
        self._store, self._max_types = store, max_types

    def add(self, lines: Iterable[StreamLine]) -> None:
        for key, records in by_window(lines).items():
            stored: HotWindow | None = None
            while stored is None or stored.mark < records[0].mark:
                window = counted(stored, records, max_types=self._max_types)
                lost = self._store.put(key, window, over=stored.mark if stored else None)
                if lost is None:
                    break
                stored = lost.current


class ClockInTheHotRule:
    """Takes an event for hot by the hour in which it is counted, not in which it was received.

    Of a batch that comes again an hour later nothing is hot any more, counted or not. Here each
    delivery comes ten minutes after the one before it, as in an outage.
    """

    def __init__(self, store: RemoteHotStore, max_types: int) -> None:
        self._store, self._shipped = store, HotCounters(store, max_types=max_types)

    def add(self, lines: Iterable[StreamLine]) -> None:
        waited = self._store.wait(timedelta(minutes=10))
        self._shipped.add(
            [line for line in lines if is_still_hot(line, line.event.received_at + waited)]
        )


def is_still_hot(line: StreamLine, now: datetime) -> bool:
    """Judge an event by the time of the day."""
    return hour_of(line.event.timestamp) >= hour_of(now) - HOUR


class _ClockInTheKey:
    """Names each object after the moment at which it is written."""

    def __init__(self, deps: Deps, moments: Iterable[int]) -> None:
        self._deps, self._moments = deps, iter(moments)

    def put_quarantine(self, lines: Sequence[Any]) -> None:
        self._deps.lake.put_quarantine(lines)

    def put_events(self, objects: Sequence[LakeObject]) -> None:
        moment = next(self._moments)
        self._deps.lake.put_events(
            [replace(one, key=f"{one.key}-{moment}.parquet") for one in objects]
        )


def puts_a_clock_into_the_key() -> Invoke:
    """Make a control that writes other objects at each delivery."""
    moments = count()

    def invoke(records: Sequence[Mapping[str, Any]], deps: Deps) -> Iterable[str]:
        lake: Any = _ClockInTheKey(deps, moments)
        outcome = process(records, replace(deps, lake=lake))
        return [outcome.retry_from] if outcome.retry_from else []

    return invoke


class _FiledByTheClock:
    """Files objects under the hour in which they are written, not that of their events."""

    def __init__(self, deps: Deps, now: datetime) -> None:
        self._deps, self._now = deps, now

    def put_quarantine(self, lines: Sequence[Any]) -> None:
        self._deps.lake.put_quarantine(lines)

    def put_events(self, objects: Sequence[LakeObject]) -> None:
        prefix = lake_prefix(self._now)
        self._deps.lake.put_events(
            [replace(one, key=prefix + one.key.rpartition("/")[2]) for one in objects]
        )

    def raise_generation(self, hours: Sequence[Any]) -> None:
        if hours:
            self._deps.hours.raise_generation([hour_of(self._now)])


def files_by(clock: Callable[[], datetime]) -> Invoke:
    """Make a control that files what it writes by the time of the day."""

    def invoke(records: Sequence[Mapping[str, Any]], deps: Deps) -> Iterable[str]:
        filed: Any = _FiledByTheClock(deps, clock())
        outcome = process(records, replace(deps, lake=filed, hours=filed))
        return [outcome.retry_from] if outcome.retry_from else []

    return invoke


def goes_on_after_a_failed_record(
    records: Sequence[Mapping[str, Any]], deps: Deps
) -> Iterable[str]:
    """Treat each record alone and name all that failed, as the usual batch processors do."""
    return [
        record["kinesis"]["sequenceNumber"]
        for record in records
        if process([record], deps).retry_from
    ]


def marks_before_it_puts(records: Sequence[Mapping[str, Any]], deps: Deps) -> Iterable[str]:
    """Raise the hours' generations first and put the lake's objects second."""
    swapped = Deps(_Swapped(deps), _NoMarks(), deps.counters)
    outcome = process(records, swapped)
    return [outcome.retry_from] if outcome.retry_from else []


class _NoMarks:
    def raise_generation(self, hours: Sequence[Any]) -> None:
        """Leave it: it is done already."""


class _Swapped:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def put_quarantine(self, lines: Sequence[Any]) -> None:
        self._deps.lake.put_quarantine(lines)

    def put_events(self, objects: Sequence[Any]) -> None:
        self._deps.hours.raise_generation(
            list(lines_by_hour([line for one in objects for line in one.lines]))
        )
        self._deps.lake.put_events(objects)


NAIVE_ADD = Subject(counters=NaiveAdd)
SKIP = Subject(counters=SkipsInsteadOfFiltering)
BATCH_PROCESSOR = Subject(invoke=goes_on_after_a_failed_record)
CLOCK_IN_HOT_RULE = Subject(counters=ClockInTheHotRule)
CLOCK_IN_KEY = Subject(invoke=puts_a_clock_into_the_key())
MARK_FIRST = Subject(invoke=marks_before_it_puts)
