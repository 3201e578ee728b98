"""Designs that are known to be wrong. The harness is alive only while it finds them out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from common.domain.decode import StreamLine
from common.domain.hot import HotWindow, by_window, counted
from common.ports.hot import HotStore
from faults.simulation import Subject
from faults.world import RemoteHotStore
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
MARK_FIRST = Subject(invoke=marks_before_it_puts)
