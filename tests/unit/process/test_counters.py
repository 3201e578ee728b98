from __future__ import annotations

from collections.abc import Callable

import pytest

from common.domain.hot import HotWindow, WindowKey
from common.errors import ConditionLostError, StoreError, ThrottledError
from common.ports.hot import Lost
from fakes.hot import MemoryHotStore
from fakes.process_builders import a_line
from process.counters import HotCounters

OTHER_WINDOW = "2026-11-20T10:01:00.000Z"


class Store(MemoryHotStore):
    """Counts its calls; ``before`` runs at the next of them."""

    def __init__(self) -> None:
        super().__init__()
        self.overs: list[str | None] = []
        self.before: Callable[[], None] | None = None

    def put(self, key: WindowKey, window: HotWindow, *, over: str | None) -> Lost | None:
        self.overs.append(over)
        before, self.before = self.before, None
        if before:
            before()
        return super().put(key, window, over=over)

    def counts(self) -> list[int]:
        return [
            sum(of.count for of in self.windows[key].types.values()) for key in sorted(self.windows)
        ]


def counters(store: Store) -> HotCounters:
    return HotCounters(store, max_types=8)


def test_one_write_counts_a_whole_batch_of_a_window() -> None:
    store = Store()

    counters(store).add([a_line(at=at) for at in range(100)])

    assert (store.overs, store.counts()) == ([None], [100])


def test_a_window_that_is_remembered_needs_one_write_too() -> None:
    store = Store()
    subject = counters(store)

    subject.add([a_line(at=0)])
    subject.add([a_line(at=1)])

    assert store.overs == [None, f"056{a_line(at=0).position.sequence}"]
    assert store.counts() == [2]


def test_a_new_environment_finds_out_what_is_stored_by_a_refused_write() -> None:
    store = Store()
    counters(store).add([a_line(at=0)])

    counters(store).add([a_line(at=1)])

    assert len(store.overs) == 3
    assert store.counts() == [2]


def test_a_batch_that_is_counted_already_is_not_even_sent_again() -> None:
    store = Store()
    subject = counters(store)

    subject.add([a_line(at=0), a_line(at=1)])
    subject.add([a_line(at=0), a_line(at=1)])

    assert (len(store.overs), store.counts()) == (1, [2])


def test_of_a_redelivery_with_other_boundaries_only_the_new_records_count() -> None:
    store = Store()
    counters(store).add([a_line(at=0), a_line(at=1), a_line(at=2)])

    counters(store).add([a_line(at=at) for at in range(1, 6)])

    assert store.counts() == [6]


def test_a_memory_that_was_overtaken_is_corrected() -> None:
    store = Store()
    slow, fast = counters(store), counters(store)
    slow.add([a_line(at=0)])
    fast.add([a_line(at=0), a_line(at=1), a_line(at=2)])

    slow.add([a_line(at=1), a_line(at=2), a_line(at=3)])

    assert store.counts() == [4]


def test_a_window_whose_write_failed_is_forgotten_and_the_others_are_kept() -> None:
    store = Store()
    subject = counters(store)
    subject.add([a_line(at=0, timestamp=OTHER_WINDOW), a_line(at=0)])

    def fail() -> None:
        raise ThrottledError("made to fail")

    store.before = fail
    with pytest.raises(ThrottledError):
        subject.add([a_line(at=1)])
    store.overs.clear()
    subject.add([a_line(at=1), a_line(at=1, timestamp=OTHER_WINDOW)])

    # The other window is written first, over what is remembered; the failed one is asked for.
    assert [over is None for over in store.overs] == [False, True, False]
    assert store.counts() == [2, 2]


def test_a_failure_stops_before_later_windows() -> None:
    store = Store()

    def fail() -> None:
        raise StoreError("made to fail")

    store.before = fail
    with pytest.raises(StoreError):
        counters(store).add([a_line(timestamp=OTHER_WINDOW), a_line()])

    assert (len(store.overs), store.windows) == (1, {})


def test_a_window_that_vanished_is_begun_again() -> None:
    store = Store()
    subject = counters(store)
    subject.add([a_line(at=0)])
    store.windows.clear()

    subject.add([a_line(at=1)])

    assert store.counts() == [1]


def test_a_window_that_changes_under_every_write_is_given_up() -> None:
    class Restless(Store):
        def put(self, key: WindowKey, window: HotWindow, *, over: str | None) -> Lost | None:
            self.overs.append(over)
            return Lost(HotWindow({}, f"{len(self.overs):03d}"))

    with pytest.raises(ConditionLostError):
        counters(Restless()).add([a_line()])


def test_the_memory_is_bounded() -> None:
    store = Store()
    subject = counters(store)
    hours = [
        f"2026-11-20T{hour:02d}:{minute:02d}:00.000Z"
        for hour in range(10)
        for minute in range(0, 60, 5)
    ]

    for timestamp in hours:
        subject.add([a_line(timestamp=timestamp, received_at=timestamp)])
    store.overs.clear()
    first, last = hours[0], hours[-1]
    subject.add([a_line(at=1, timestamp=first, received_at=first)])
    subject.add([a_line(at=1, timestamp=last, received_at=last)])

    assert [over is None for over in store.overs] == [True, False, False]
