"""Every schedule of a small world: no lot is drawn, so nothing is left to luck."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from common.domain.decode import decode_batch
from common.domain.hot import HotWindow, WindowKey
from common.ports.hot import HotStore, Lost
from fakes.hot import MemoryHotStore
from faults.controls import SkipsInsteadOfFiltering
from faults.summary import Figures
from faults.traffic import Line, Sent, expected
from faults.world import Crash
from process.counters import HotCounters

_DELIVERIES = 3 if "FAULT_SCHEDULES" in os.environ else 2
"""Deliveries with faults; a last one without finishes the work."""

_CALL = ("answered", "crashed before", "crashed after", "lands after the next delivery")


def _records() -> list[Sent]:
    """Four records, two windows, more types than are named."""
    plan = (("a", 0), ("b", 2), ("b", 0), ("c", 0))
    return [
        Sent.of("shard", str(98 + number), 0, (Line(f"{number}", kind, moment, False, 5.0, False),))
        for number, (kind, moment) in enumerate(plan)
    ]


class Choices:
    """Goes through every sequence of choices, whatever each choice leads to."""

    def __init__(self) -> None:
        self._taken: list[int] = []
        self._options: list[int] = []
        self._at = 0

    def choose(self, options: int) -> int:
        if self._at == len(self._taken):
            self._taken.append(0)
            self._options.append(options)
        self._at += 1
        return self._taken[self._at - 1]

    def every(self) -> Iterator[None]:
        while True:
            self._at = 0
            yield
            while self._taken and self._taken[-1] + 1 == self._options[-1]:
                self._taken.pop()
                self._options.pop()
            if not self._taken:
                return
            self._taken[-1] += 1


@dataclass
class Store(HotStore):
    """Asks what becomes of each call."""

    choices: Choices
    stored: MemoryHotStore = field(default_factory=MemoryHotStore)
    late: list[Callable[[], object]] = field(default_factory=list)
    faulty: bool = True
    seen: Counter[str] = field(default_factory=Counter)

    def put(self, key: WindowKey, window: HotWindow, *, over: str | None) -> Lost | None:
        fate = _CALL[self.choices.choose(len(_CALL))] if self.faulty else "answered"
        self.seen[fate] += 1
        if fate == "crashed before":
            raise Crash
        if fate == "lands after the next delivery":
            self.late.append(lambda: self.stored.put(key, window, over=over))
            raise Crash
        lost = self.stored.put(key, window, over=over)
        if fate == "crashed after":
            raise Crash
        return lost


def _run(
    choices: Choices, sent: Sequence[Sent], seen: Counter[str], make: Callable[[Store], Any]
) -> MemoryHotStore:
    """Deliver legal ranges: each begins at or before the first record that is not finished."""
    store = Store(choices, seen=seen)
    environments: list[Any] = []
    finished = 0
    for delivery in range(_DELIVERIES + 1):
        last = delivery == _DELIVERIES
        store.faulty = not last
        begin = finished if last else choices.choose(min(finished, len(sent) - 1) + 1)
        end = len(sent) if last else begin + 1 + choices.choose(len(sent) - begin)
        landing, store.late = store.late, []
        which = choices.choose(len(environments) + 1)
        counters = environments[which] if which < len(environments) else make(store)
        try:
            counters.add(decode_batch(one.record for one in sent[begin:end]).lines)
        except Crash:
            environments = [other for other in environments if other is not counters]
        else:
            finished = max(finished, end)
            environments += [] if counters in environments else [counters]
        for call in landing:
            call()
    for call in store.late:
        call()
    return store.stored


def _wrong(make: Callable[[Store], Any], seen: Counter[str]) -> tuple[int, int]:
    """Return how many schedules there are, and in how many a window ends up wrong."""
    choices, sent = Choices(), _records()
    truth = expected(sent, max_types=1).windows
    schedules = wrong = 0
    for _ in choices.every():
        schedules += 1
        wrong += _run(choices, sent, seen, make).windows != truth
    return schedules, wrong


def test_no_sequence_of_deliveries_and_crashes_makes_a_window_wrong(figures: Figures) -> None:
    seen = Counter[str]()
    schedules, wrong = _wrong(lambda store: HotCounters(store, max_types=1), seen)
    figures.family(f"every schedule of {_DELIVERIES} faulty deliveries", schedules, wrong)

    assert wrong == 0
    assert schedules > 1_000
    assert set(seen) == set(_CALL)


def test_the_same_sequences_find_out_a_batch_that_is_skipped_whole(figures: Figures) -> None:
    schedules, wrong = _wrong(lambda store: SkipsInsteadOfFiltering(store, 1), Counter())

    figures.control("skip, not filter: every schedule", wrong, schedules, more_than=0.02)
