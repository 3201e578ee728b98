"""When records become a batch, and in which order batches are sent."""

from __future__ import annotations

import threading
from typing import Any

from eventstream.local.records import MAX_PAYLOAD_BYTES
from fakes.kinesis_stream import KEY_RANGE, KinesisStream
from functional.poller.conftest import MakeLane
from functional.poller.laptop import Records, Running, data_of, eventually


def take(_records: Records) -> None:
    """Be content with every batch."""


def test_a_full_batch_is_sent_without_waiting_for_the_window(lane: MakeLane) -> None:
    found = lane(take, BatchSize=2, MaximumBatchingWindowInSeconds=300)
    began_s = found.now_s
    found.put("a", "b", "c", "d")

    found.run(until=lambda: len(found.calls) == 2)

    assert found.calls == [["a", "b"], ["c", "d"]]
    assert found.now_s - began_s < 2


def test_a_batch_that_is_not_full_is_sent_when_its_window_is_over(lane: MakeLane) -> None:
    sent_at_s: list[float] = []
    found = lane(lambda _: sent_at_s.append(found.now_s), MaximumBatchingWindowInSeconds=10)
    began_s = found.now_s
    found.put("a")

    found.run(until=lambda: bool(found.calls))

    assert 10 <= sent_at_s[0] - began_s < 11


def test_without_a_window_what_is_there_is_sent_at_once(lane: MakeLane) -> None:
    found = lane(take)
    began_s = found.now_s
    found.put("a", "b")

    found.run(until=lambda: bool(found.calls))

    assert found.calls == [["a", "b"]]
    assert found.now_s - began_s <= 1


def test_an_event_stays_below_six_megabytes(lane: MakeLane) -> None:
    found = lane(take, BatchSize=100, MaximumBatchingWindowInSeconds=300)
    found.put(*("x" * 1_000_000 for _ in range(9)))

    found.run(until=lambda: len(found.calls) == 3)

    assert [len(call) for call in found.calls] == [4, 4, 1]
    assert max(found.function.payload_bytes) <= MAX_PAYLOAD_BYTES


def test_the_next_batch_of_a_shard_waits_for_the_one_before() -> None:
    at_once: list[int] = []
    inside = threading.Semaphore(1)

    def one_at_a_time(_records: Records) -> None:
        at_once.append(int(inside.acquire(blocking=False)))
        inside.release()

    running = Running(one_at_a_time, BatchSize=1)
    for number in range(20):
        running.stream.put(str(number))
    with running:
        eventually(lambda: len(running.data) == 20)

    assert running.data == [str(number) for number in range(20)]
    assert set(at_once) == {1}


def test_a_shard_that_is_stuck_holds_no_other_up() -> None:
    released = threading.Event()

    def stuck(records: Records) -> None:
        if data_of(records[0]).startswith("first"):
            released.wait(30)

    stream = KinesisStream(shards=2)
    stream.put("first", 0)
    running = Running(stuck, stream, BatchSize=1)
    with running:
        for number in range(10):
            stream.put(f"second {number}", KEY_RANGE - 1)
        eventually(lambda: len(running.data) == 11)
        stuck_at = running.session.dynamodb.items["shardId-000000000000"]
        released.set()

    assert "sequence" not in stuck_at


def test_a_shard_that_fails_holds_no_other_up() -> None:
    def fail(records: Records) -> Any:
        if data_of(records[0]) == "poison":
            raise ValueError

    stream = KinesisStream(shards=2)
    stream.put("poison", 0)
    running = Running(fail, stream, BatchSize=1)
    with running:
        for number in range(10):
            stream.put(str(number), KEY_RANGE - 1)
        eventually(lambda: {str(number) for number in range(10)} <= set(running.data))

    assert running.session.s3.objects == {}
