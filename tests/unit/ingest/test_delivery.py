from __future__ import annotations

from collections.abc import Iterator

import pytest

from common.ports.stream import MAX_RECORDS_PER_CALL, StreamRecord
from fakes.stream import Fault, Hourglass, MemorySink
from ingest.delivery import BACKOFF_BASE_S, MAX_TRIES, TIME_LIMIT_S, Waiting, deliver


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
