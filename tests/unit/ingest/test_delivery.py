from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from common.ports.stream import MAX_RECORDS_PER_CALL, PutFailure, StreamRecord
from fakes.stream import Fault, Hourglass, MemorySink
from ingest.delivery import (
    ANSWER_S,
    BACKOFF_BASE_S,
    CALL_LIMIT_S,
    MAX_TRIES,
    TIME_LIMIT_S,
    Waiting,
    deliver,
)


def records(count: int, size: int = 10) -> list[StreamRecord]:
    return [StreamRecord(f"{n:0{size}}".encode(), "0", "1") for n in range(count)]


def send(
    sink: MemorySink, what: list[StreamRecord], time: Hourglass | None = None, draw: float = 0.5
) -> tuple[list[str | None], list[str]]:
    hourglass, notes = time or Hourglass(), list[str]()
    waiting = Waiting(hourglass.clock, hourglass.sleep, lambda: draw)
    return list(deliver(what, sink, waiting, notes.append)), notes


def test_one_call_is_enough_when_all_is_well() -> None:
    sink, what = MemorySink(), records(3)

    assert send(sink, what) == ([None] * 3, [])
    assert sink.stored == what
    assert len(sink.calls) == 1


def test_nothing_to_send_makes_no_call() -> None:
    sink = MemorySink()

    assert send(sink, []) == ([], [])
    assert sink.calls == []


def test_only_the_records_that_failed_are_offered_again() -> None:
    what = records(4)
    sink = MemorySink([Fault(entries={1: "throttled", 3: "store_failed"})])

    assert send(sink, what)[0] == [None] * 4
    assert sink.calls == [what, [what[1], what[3]]]


def test_a_record_is_offered_three_times_at_most_and_told_why_it_failed() -> None:
    sink = MemorySink([Fault(entries={0: "throttled"})] * 9)

    assert send(sink, records(2))[0] == ["throttled", None]
    assert len(sink.calls) == MAX_TRIES


class OneAtATime(MemorySink):
    """A full stream: of each call it takes the first record."""

    def put(self, records: Sequence[StreamRecord]) -> Sequence[PutFailure | None]:
        self.stored.append(records[0])
        return [None, *("throttled" for _ in records[1:])]


def test_a_stream_that_takes_some_each_time_is_offered_the_rest_while_there_is_time() -> None:
    sink, time = OneAtATime(), Hourglass()

    assert send(sink, records(10), time)[0] == [None] * 10
    assert time.now_s < TIME_LIMIT_S
    assert send(OneAtATime(), records(100), time)[0].count("throttled") > 0


@pytest.mark.parametrize("failure", ["throttled", "store_failed"])
def test_a_call_that_fails_as_a_whole_is_made_again_and_noted(failure: str) -> None:
    sink = MemorySink([Fault(whole=failure)])  # type: ignore[arg-type]

    assert send(sink, records(2)) == ([None, None], ["made to fail"])


def test_a_lost_answer_is_not_an_acknowledgement() -> None:
    sink = MemorySink([Fault("store_failed", stored_all_the_same=True)] * 3)

    assert send(sink, records(1))[0] == ["store_failed"]
    assert len(sink.stored) == 3


def test_calls_carry_at_most_500_records() -> None:
    sink = MemorySink()

    assert send(sink, records(1201))[0] == [None] * 1201
    assert [len(call) for call in sink.calls] == [MAX_RECORDS_PER_CALL, MAX_RECORDS_PER_CALL, 201]


def test_calls_carry_at_most_5_mb_keys_included() -> None:
    sink = MemorySink()

    assert send(sink, records(50, size=249_999))[0] == [None] * 50
    assert [len(call) for call in sink.calls] == [20, 20, 10]


def test_a_chunk_that_fails_leaves_the_others_accepted() -> None:
    sink = MemorySink([Fault(whole="throttled"), None, Fault(whole="store_failed")])

    outcomes = send(sink, records(700))[0]

    assert outcomes == [None] * 700
    assert [len(call) for call in sink.calls] == [500, 200, 500, 500]


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.999])
def test_pauses_are_drawn_from_nothing_up_to_a_bound_that_doubles(draw: float) -> None:
    time = Hourglass()

    send(MemorySink([Fault(whole="throttled")] * 3), records(1), time, draw)

    assert time.pauses == [draw * BACKOFF_BASE_S, draw * BACKOFF_BASE_S * 2]


def slow(time: Hourglass, seconds: float) -> Iterator[Fault]:
    while True:
        time.now_s += seconds
        yield Fault(whole="store_failed")


def test_no_call_begins_after_the_time_limit() -> None:
    time = Hourglass()
    sink = MemorySink(slow(time, 3.0))

    assert send(sink, records(1), time)[0] == ["store_failed"]
    assert len(sink.calls) == 2
    assert time.now_s < TIME_LIMIT_S + 3.0


def test_a_chunk_that_time_runs_out_for_is_never_called_accepted() -> None:
    time = Hourglass()
    sink = MemorySink(slow(time, 3.0))

    assert send(sink, records(1400), time)[0] == ["store_failed"] * 1400
    assert len(sink.calls) == 2


@pytest.mark.parametrize("ends_at_s", [0.0, 1.0, CALL_LIMIT_S, CALL_LIMIT_S + ANSWER_S])
def test_no_call_begins_when_the_function_might_be_stopped_before_it_ends(
    ends_at_s: float,
) -> None:
    time, sink = Hourglass(), MemorySink()
    waiting = Waiting(time.clock, time.sleep, lambda: 0.5)

    outcomes = deliver(records(2), sink, waiting, print, ends_at_s=ends_at_s)

    assert outcomes == ["store_failed"] * 2
    assert sink.calls == []


@pytest.mark.parametrize("ends_at_s", [3.6, 4.0, 5.5, 7.0, 8.4, 9.9, 30.0])
@pytest.mark.parametrize("per_call_s", [0.001, 0.7, 1.9, CALL_LIMIT_S])
def test_the_last_call_ends_in_time_for_an_answer(ends_at_s: float, per_call_s: float) -> None:
    time = Hourglass()
    sink = MemorySink(slow(time, per_call_s))
    waiting = Waiting(time.clock, time.sleep, lambda: 0.999)

    deliver(records(1400), sink, waiting, lambda _reason: None, ends_at_s=ends_at_s)

    assert sink.calls
    assert time.now_s <= min(ends_at_s - ANSWER_S, TIME_LIMIT_S + CALL_LIMIT_S)
