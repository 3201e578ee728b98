from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from common.adapters.routed_streams import RoutedSink
from common.errors import StoreError, ThrottledError
from common.ports.stream import PutFailure, StreamRecord


class Sink:
    """Takes what it is given, or raises."""

    def __init__(self, *failures: PutFailure | None, error: Exception | None = None) -> None:
        self.failures = failures
        self.error = error
        self.taken: list[bytes] = []

    def put(self, records: Sequence[StreamRecord]) -> Sequence[PutFailure | None]:
        if self.error:
            raise self.error
        self.taken += [record.data for record in records]
        return [*self.failures, *[None] * (len(records) - len(self.failures))]


def records(*pairs: tuple[bytes, str | None]) -> list[StreamRecord]:
    return [StreamRecord(data, "1", "0", stream) for data, stream in pairs]


MIXED = records((b"a", None), (b"b", "orders"), (b"c", None), (b"d", "orders"))


def test_each_record_goes_to_its_stream_and_answers_stay_in_order() -> None:
    default, orders = Sink(None, "throttled"), Sink("store_failed")

    results = RoutedSink(default, {"orders": orders}, lambda _: None).put(MIXED)

    assert (default.taken, orders.taken) == ([b"a", b"c"], [b"b", b"d"])
    assert results == [None, "store_failed", "throttled", None]


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        pytest.param(ThrottledError("slow down"), "throttled", id="throttled"),
        pytest.param(StoreError("gone"), "store_failed", id="failed"),
    ],
)
def test_a_stream_that_fails_as_a_whole_fails_its_own_records_alone(
    error: ThrottledError | StoreError, failure: str
) -> None:
    notes: list[str] = []
    sink = RoutedSink(Sink(), {"orders": Sink(error=error)}, notes.append)

    assert sink.put(MIXED) == [None, failure, None, failure]
    assert notes == [error.message]


def test_a_call_of_one_stream_fails_as_that_stream_does() -> None:
    sink = RoutedSink(Sink(error=StoreError("gone")), {}, lambda _: None)

    with pytest.raises(StoreError, match="gone"):
        sink.put(records((b"a", None)))


def test_streams_are_called_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=20)

    class Meeting(Sink):
        def put(self, records: Sequence[StreamRecord]) -> Sequence[PutFailure | None]:
            both.wait()
            return super().put(records)

    sink = RoutedSink(Meeting(), {"orders": Meeting()}, lambda _: None)

    assert sink.put(MIXED) == [None] * 4


def test_no_records_need_no_stream() -> None:
    assert RoutedSink(Sink(error=StoreError("gone")), {}, lambda _: None).put([]) == []


def test_a_record_for_an_unknown_stream_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        RoutedSink(Sink(), {}, lambda _: None).put(records((b"a", "nowhere")))
