from __future__ import annotations

import random
import threading
from collections.abc import Iterator

import pytest

from eventstream.load.client import Answer, Patience
from eventstream.load.delivery import Outcome
from eventstream.load.loader import REFUSED_AT_ONCE, Loader, Pace, make_batches
from eventstream.load.progress import Done
from eventstream.load.report import Batch
from eventstream.load.rules import RowError
from eventstream.load.source import NumberedEvent
from fakes.event_api import Event, EventApi, FakeClock, answer, receipt


def rows(count: int, bad: frozenset[int] = frozenset()) -> Iterator[NumberedEvent]:
    for number in range(1, count + 1):
        if number in bad:
            yield number, RowError("Quantity", "must be a number")
        else:
            yield number, {"event_type": "purchase", "event_id": f"e{number}"}


def quiet(clock: FakeClock) -> Patience:
    return Patience(give_up_after_s=5.0, now=clock, sleep=clock.sleep, rng=random.Random(1))


def a_loader(api: EventApi, pace: Pace | None = None) -> tuple[Loader, list[tuple[int, int]]]:
    answered: list[tuple[int, int]] = []

    def keep(batch: Batch, _outcome: Outcome) -> None:
        answered.append((batch.first, batch.last))

    clock = FakeClock()
    return Loader(api, pace or Pace(batch=10), quiet(clock), keep, now=clock), answered


def test_batches_cover_every_row_once_in_order() -> None:
    batches = list(make_batches(rows(25), Done(), 10))

    assert [(batch.first, batch.last) for batch in batches] == [(1, 10), (11, 20), (21, 25)]


def test_batches_leave_out_what_is_done_and_never_reach_over_it() -> None:
    done = Done(ranges=((4, 6), (9, 9)))

    batches = list(make_batches(rows(12), done, 10))

    assert [(batch.first, batch.last) for batch in batches] == [(1, 3), (7, 8), (10, 12)]


def test_a_bad_row_is_in_its_batch_and_no_event() -> None:
    [batch] = make_batches(rows(3, bad=frozenset({2})), Done(), 10)

    assert batch.rows == [1, 3]
    assert [number for number, _ in batch.bad_rows] == [2]


def test_every_event_is_sent_and_accounted_for() -> None:
    api = EventApi()
    loader, answered = a_loader(api)

    report = loader.run(make_batches(rows(95, bad=frozenset({7})), Done(), 10))

    assert (report.rows, report.sent, report.accepted, report.bad_rows) == (95, 94, 94, 1)
    assert sorted(answered)[0] == (1, 10)
    assert len(answered) == 10
    assert report.reasons["Quantity: must be a number"].first_row == 7


def test_no_more_requests_are_under_way_than_asked_for() -> None:
    lock, under_way, most = threading.Lock(), 0, 0
    both = threading.Barrier(2, timeout=10)

    def count(_number: int, _events: list[Event]) -> Answer | None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        both.wait()
        with lock:
            under_way -= 1
        return None

    loader, _ = a_loader(EventApi(count), Pace(batch=1, concurrency=2))
    loader.run(make_batches(rows(12), Done(), 1))

    assert most == 2


def test_a_rejected_event_is_blamed_on_its_row() -> None:
    def refuse_one(_number: int, events: list[Event]) -> Answer | None:
        return receipt(
            ["rejected" if event["event_id"] == "e7" else "accepted" for event in events]
        )

    loader, _ = a_loader(EventApi(refuse_one))
    report = loader.run(make_batches(rows(10, bad=frozenset({2})), Done(), 10))

    assert (report.accepted, report.rejected) == (8, 1)
    assert report.reasons["timestamp is refused"].first_row == 7
    assert not report.clean
    assert report.complete


def test_a_dead_api_stops_the_load_and_the_account_adds_up() -> None:
    def die(number: int, _events: list[Event]) -> Answer | None:
        if number >= 3:
            raise ConnectionRefusedError("nobody there")
        return None

    api = EventApi(die)
    loader, answered = a_loader(api, Pace(batch=10, concurrency=1))
    report = loader.run(make_batches(rows(1000), Done(), 10))

    assert report.accepted == 30
    assert report.accepted + report.rejected + report.given_up == report.sent < 1000
    assert "nobody there" in report.problem
    assert not report.complete
    assert {(1, 10), (11, 20), (21, 30)} <= set(answered)


def test_a_load_that_is_refused_from_the_start_is_stopped() -> None:
    def refuse(_number: int, events: list[Event]) -> Answer | None:
        return receipt(["rejected"] * len(events))

    loader, _ = a_loader(EventApi(refuse), Pace(batch=500, concurrency=1))
    report = loader.run(make_batches(rows(50_000), Done(), 500))

    assert REFUSED_AT_ONCE <= report.rejected < 5_000
    assert "were all refused" in report.problem


def test_one_accepted_event_keeps_a_load_with_many_refusals_going() -> None:
    def refuse_most(number: int, events: list[Event]) -> Answer | None:
        return receipt(["accepted" if number == 0 else "rejected"] * len(events))

    loader, _ = a_loader(EventApi(refuse_most), Pace(batch=500, concurrency=1))
    report = loader.run(make_batches(rows(5_000), Done(), 500))

    assert (report.accepted, report.rejected, report.problem) == (500, 4_500, "")


def test_an_interrupt_ends_the_load_with_the_answers_that_are_under_way() -> None:
    def interrupted() -> Iterator[NumberedEvent]:
        yield from rows(30)
        raise KeyboardInterrupt

    loader, answered = a_loader(EventApi())
    report = loader.run(make_batches(interrupted(), Done(), 10))

    assert report.interrupted
    assert not report.complete
    assert report.accepted == 10 * len(answered)


def test_the_pace_is_kept() -> None:
    clock = FakeClock()
    loader = Loader(
        EventApi(),
        Pace(batch=10, concurrency=1, rate=100.0),
        quiet(clock),
        lambda _batch, _outcome: None,
        now=clock,
    )

    report = loader.run(make_batches(rows(200), Done(), 10))

    assert report.seconds == pytest.approx(1.9)


def test_an_api_of_another_kind_ends_the_load_with_its_error() -> None:
    loader, _ = a_loader(EventApi(lambda _number, _events: answer(404, {"message": "Not Found"})))

    with pytest.raises(Exception, match="is this an EventStream API"):
        loader.run(make_batches(rows(30), Done(), 10))
