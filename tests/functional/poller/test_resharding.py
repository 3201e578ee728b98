"""Parents before children, whatever happens meanwhile."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

import pytest

from eventstream.local import shards
from eventstream.local.shards import Shard
from fakes.kinesis_stream import KEY_RANGE, KinesisStream
from functional.poller.laptop import Records, Running, eventually

KEYS = 16
PARENT = "shardId-000000000000"


def take(_records: Records) -> None:
    """Be content with every batch."""


def put(stream: KinesisStream, key: int, number: int) -> None:
    stream.put(f"{key}:{number}", KEY_RANGE * key // KEYS)


def by_key(data: Iterable[str]) -> dict[str, list[int]]:
    found = defaultdict(list)
    for each in data:
        key, number = each.split(":")
        found[key].append(int(number))
    return found


def disordered(data: Iterable[str]) -> list[str]:
    """Name the keys whose records were given to the function in another order, or not all once."""
    return [key for key, numbers in by_key(data).items() if numbers != list(range(len(numbers)))]


def test_the_children_of_a_split_wait_until_their_parent_is_done() -> None:
    released = threading.Event()

    def slow(_records: Records) -> None:
        released.wait(30)

    running = Running(slow, BatchSize=10)
    for number in range(30):
        running.stream.put(f"parent {number}")
    first, second = running.stream.split(PARENT)
    running.stream.put_to(first, "child 1")
    running.stream.put_to(second, "child 2")
    with running:
        eventually(lambda: len(running.data) == 10)
        assert set(running.poller._workers) == {PARENT}
        released.set()
        eventually(lambda: len(running.data) == 32)

    assert running.data[:30] == [f"parent {number}" for number in range(30)]
    assert sorted(running.data[30:]) == ["child 1", "child 2"]


def test_the_child_of_a_merge_waits_for_both_parents() -> None:
    released = threading.Event()
    stream = KinesisStream(shards=2)

    def slow_left(records: Records) -> None:
        if records[0]["eventID"].startswith(PARENT):
            released.wait(30)

    running = Running(slow_left, stream, BatchSize=1)
    left, right = stream.open()
    stream.put_to(left, "left")
    stream.put_to(right, "right")
    stream.put_to(stream.merge(left, right), "merged")
    with running:
        eventually(lambda: running.session.dynamodb.items[right]["finished"]["BOOL"])
        assert "merged" not in running.data
        released.set()
        eventually(lambda: running.data[-1:] == ["merged"])


def reshard_under_load(running: Running, rounds: int = 8, each: int = 3) -> int:
    """Put records for every key while shards split and merge; return how many of each key."""
    counts = (2, 4, 1, 3, 1, 5, 2, 1)
    for at in range(rounds):
        for number in range(at * each, (at + 1) * each):
            for key in range(KEYS):
                put(running.stream, key, number)
        running.stream.update_count(counts[at % len(counts)])
    return rounds * each


def test_records_of_one_key_stay_in_order_through_generations_of_shards() -> None:
    with Running(take, BatchSize=7) as running:
        each = reshard_under_load(running)
        eventually(lambda: len(running.data) == each * KEYS)

    assert disordered(running.data) == []


def test_a_poller_that_reads_children_at_once_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: all shards are readable as soon as they are listed."""

    def every(
        listed: Iterable[Shard], finished: Collection[str], *_: Any, **__: Any
    ) -> list[Shard]:
        return [shard for shard in listed if shard.id not in finished]

    monkeypatch.setattr(shards, "readable", every)
    running = Running(lambda _: time.sleep(0.002), BatchSize=7)
    each = reshard_under_load(running)
    with running:
        eventually(lambda: len(running.data) >= each * KEYS)

    assert disordered(running.data) != []


def test_a_restart_in_the_middle_of_a_reshard_keeps_the_order_and_reads_nothing_twice() -> None:
    with Running(take, BatchSize=5) as running:
        for at in range(6):
            for number in range(at * 4, at * 4 + 4):
                for key in range(KEYS):
                    put(running.stream, key, number)
            running.stream.update_count((3, 1, 4, 2, 5, 1)[at])
            running.restart()
        eventually(lambda: len(running.data) == 24 * KEYS)

    assert disordered(running.data) == []


def test_a_shard_that_is_finished_is_not_read_again_after_a_restart() -> None:
    with Running(take) as running:
        running.stream.put("old")
        first, _ = running.stream.split(PARENT)
        running.stream.put_to(first, "new")
        eventually(lambda: running.data == ["old", "new"])
        eventually(lambda: set(running.poller._workers) == set(running.stream.open()))
        running.restart()
        running.stream.put_to(first, "newer")
        eventually(lambda: running.data == ["old", "new", "newer"])

        assert PARENT not in running.poller._workers


def test_a_child_waits_for_a_parent_that_the_stream_dropped_while_it_was_with_the_function() -> (
    None
):
    listed = [Shard("child", parents=("parent",))]

    assert shards.readable(listed, finished=set(), caught_up=set(), at_work={"parent"}) == []
    assert shards.readable(listed, finished=set(), caught_up=set()) == listed


def test_while_children_wait_the_lag_is_that_of_their_parent() -> None:
    released = threading.Event()

    def slow(_records: Records) -> None:
        released.wait(30)

    running = Running(slow)
    running.stream.put_to(PARENT, "old", time.time() - 300)
    running.stream.split(PARENT)
    with running:
        eventually(lambda: running.data == ["old"])
        lag_s = running.poller.lag_s()
        released.set()
        eventually(lambda: running.poller.lag_s() == 0)

    assert lag_s is not None
    assert lag_s >= 300
