import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from eventstream.local.batches import Batch, Policy
from eventstream.local.buffer import Buffer
from eventstream.local.delivery import Delivery
from eventstream.local.records import Record
from eventstream.local.shard_worker import Progress, ShardWorker
from eventstream.local.shards import Read
from unit.local.streams import Clock, Function, Shelf, a_record, no_wait, records

GONE = ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetShardIterator")


class Script:
    """A reader that gives, or raises, what a test has written down."""

    def __init__(self, *steps: Read | Exception) -> None:
        self.steps = list(steps)

    def read(self, limit: int) -> Read:
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


def some(*found: Record, ended: bool = False) -> Read:
    return Read(found, caught_up=True, ended=ended)


def a_worker(
    reader: Any, function: Function, clock: Clock, **other: Any
) -> tuple[ShardWorker, Shelf, list[str]]:
    shelf, finished = Shelf(), []
    policy = other.get("policy", Policy())
    delivery = Delivery(invoke=function, shelf=shelf, policy=policy, now_s=clock, wait=no_wait)
    worker = ShardWorker(
        "shard-0",
        reader=reader,
        buffer=other.get("buffer", Buffer(other.get("batch_size", 100), other.get("window_s", 0))),
        delivery=delivery,
        finish=lambda: finished.append("shard-0"),
        stop=other.get("stop", threading.Event()),
        idle_s=0.0,
        now_s=clock,
    )
    return worker, shelf, finished


def test_a_closed_shard_is_delivered_to_its_end_and_then_finished() -> None:
    function = Function()
    reader = Script(some(*records(1, 2)), some(*records(3), ended=True))
    worker, shelf, finished = a_worker(reader, function, Clock(10.0))

    worker.run()

    assert [number for call in function.calls for number in call] == [1, 2, 3]
    assert (shelf.checkpoints[-1], finished) == (3, ["shard-0"])


def test_the_last_records_of_a_closed_shard_do_not_wait_for_their_window() -> None:
    function = Function()
    reader = Script(some(*records(1), ended=True))
    worker, _, finished = a_worker(reader, function, Clock(10.0), window_s=300)

    worker.run()

    assert (function.calls, finished) == ([[1]], ["shard-0"])


def test_a_shard_that_the_stream_dropped_gives_what_was_read_and_is_not_finished() -> None:
    function = Function()
    worker, shelf, finished = a_worker(
        Script(some(*records(1)), GONE), function, Clock(10.0), window_s=300
    )

    worker.run()

    assert (function.calls, shelf.checkpoints, finished) == ([[1]], [1], [])


def test_a_store_that_cannot_be_reached_is_tried_again(monkeypatch: Any) -> None:
    monkeypatch.setattr("eventstream.local.shard_worker._RETRY_S", 0.0)
    unreachable = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
    function = Function()
    reader = Script(unreachable, some(*records(1), ended=True))
    worker, _, finished = a_worker(reader, function, Clock(10.0))

    worker.run()

    assert (function.calls, finished) == ([[1]], ["shard-0"])


def test_the_lag_is_the_age_of_the_oldest_record_that_is_not_done() -> None:
    clock, stop = Clock(1000.0), threading.Event()
    lags: list[float | None] = []

    class Reader:
        def __init__(self) -> None:
            self.reads = 0

        def read(self, limit: int) -> Read:
            self.reads += 1
            lags.append(worker.lag_s(clock.now_s))
            if self.reads == 1:
                return some(a_record(1, arrived_at_s=990.0))
            clock.now_s += 5
            if self.reads == 3:
                stop.set()
            return some()

    function = Function()
    worker, _, _ = a_worker(Reader(), function, clock, window_s=12, stop=stop)
    worker.run()

    assert lags == [None, 10.0, 15.0]


def at_each_line(work: Callable[[], object], look: Callable[[], None]) -> None:
    """Look as another thread may: between any two lines of the poller."""
    before = sys.gettrace()

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        if not frame.f_globals.get("__name__", "").startswith("eventstream.local."):
            return None
        if event == "line":
            sys.settrace(None)
            look()
            sys.settrace(trace)
        return trace

    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)


class Careless(Buffer):
    """The control: it lets go of a batch before anybody else has it."""

    def take(
        self, now_s: float, *, at_once: bool = False, hand_over: Callable[[Batch], None]
    ) -> Batch | None:
        batch = super().take(now_s, at_once=at_once)
        if batch is not None:
            hand_over(batch)
        return batch


def lags_of_two_undone_records(buffer: Buffer) -> set[float | None]:
    """Collect every lag shown until the last of two records is done, the second one failing."""
    function, clock = Function(poison={2}, partial=True), Clock(1000.0)
    reader = Script(some(a_record(1, 990.0), a_record(2, 990.0)))
    policy = Policy(partial=True, retries=3)
    worker, shelf, _ = a_worker(reader, function, clock, buffer=buffer, policy=policy)
    worker._step()
    worker.progress = Progress(caught_up_s=999.9)
    lags: set[float | None] = set()

    def look() -> None:
        if 2 not in shelf.checkpoints:
            lags.add(worker.lag_s(clock.now_s))

    at_each_line(worker._step, look)
    assert shelf.checkpoints == [1, 2]
    return lags


def test_at_no_instant_does_undone_work_show_as_no_lag() -> None:
    assert lags_of_two_undone_records(Buffer(100, 0)) == {10.0}


def test_a_buffer_that_lets_go_too_early_is_found_out() -> None:
    assert 0.0 in lags_of_two_undone_records(Careless(100, 0))


def test_what_could_not_be_delivered_is_not_left_behind_when_nothing_more_comes() -> None:
    function, shelves = Function(), []

    def fail_once(_call: int) -> None:
        if not shelves:
            shelves.append("tried")
            raise RuntimeError("the store is away")

    function.before = fail_once
    worker, shelf, finished = a_worker(Script(some(*records(1), ended=True)), function, Clock(10.0))
    worker._step()
    with pytest.raises(RuntimeError, match="away"):
        worker._step()

    worker.run()

    assert (shelf.checkpoints, finished) == ([1], ["shard-0"])


def test_before_the_first_look_the_lag_is_not_known() -> None:
    worker, _, _ = a_worker(Script(), Function(), Clock(10.0))

    assert worker.lag_s(10.0) is None


def test_the_lag_is_zero_when_everything_is_done_and_grows_when_nobody_looks() -> None:
    clock = Clock(1000.0)
    worker, _, _ = a_worker(Script(some(ended=True)), Function(), clock)

    worker.run()

    assert worker.lag_s(1000.5) == 0.0
    assert worker.lag_s(1090.0) == 90.0


def test_what_is_put_while_an_answer_is_on_its_way_is_not_taken_for_read() -> None:
    clock = Clock()

    class Slow:
        def read(self, _limit: int) -> Read:
            clock.now_s += 5.0
            return some()

    worker, _, _ = a_worker(Slow(), Function(), clock)
    asked_s = clock.now_s

    worker._step()

    assert worker.progress == Progress(caught_up_s=asked_s)
