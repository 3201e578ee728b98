"""Stopping under load: a clean stop repeats nothing, a crash loses nothing."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from eventstream.local.shelf import ShardShelf
from fakes.kinesis_stream import KEY_RANGE, KinesisStream
from functional.poller.laptop import PARTIAL, Records, Running, a_poller, eventually, report

STOPS = 6


def slow(_records: Records) -> None:
    time.sleep(0.003)


@contextmanager
def load(stream: KinesisStream) -> Iterator[list[str]]:
    """Put records over all shards until the end of the block; yield what was put."""
    put: list[str] = []
    over = threading.Event()

    def produce() -> None:
        for number in itertools.count():
            if over.is_set():
                return
            stream.put(str(number), number * 7919 % 97 * (KEY_RANGE // 97))
            put.append(str(number))
            over.wait(0.0005)

    producer = threading.Thread(target=produce)
    producer.start()
    try:
        yield put
    finally:
        over.set()
        producer.join()


def test_a_clean_stop_under_load_repeats_nothing_and_loses_nothing() -> None:
    with Running(slow, KinesisStream(shards=3), BatchSize=5, **PARTIAL) as running:
        with load(running.stream) as put:
            for stop in range(1, STOPS):
                eventually(lambda stop=stop: len(running.data) > stop * 25)
                running.restart()
        eventually(lambda: len(running.data) >= len(put))

    assert sorted(running.data) == sorted(put)


def test_after_a_stop_the_function_is_not_called_any_more() -> None:
    running = Running(slow, KinesisStream(shards=3), BatchSize=5)
    with load(running.stream):
        with running:
            eventually(lambda: len(running.data) > 50)
        seen, reads = len(running.data), running.stream.reads
        eventually(lambda: len(running.stream.shards[running.stream.open()[0]].records) > 60)

        assert (len(running.data), running.stream.reads) == (seen, reads)


def test_a_stop_waits_for_the_batch_that_is_with_the_function() -> None:
    inside, released = threading.Event(), threading.Event()

    def hold(_records: Records) -> None:
        inside.set()
        released.wait(30)

    running = Running(hold)
    last = running.stream.put("a")[1]
    running.poller.start()
    inside.wait(30)
    stopping = threading.Thread(target=running.poller.stop)
    stopping.start()
    assert running.session.dynamodb.items[running.stream.open()[0]].get("sequence") is None
    released.set()
    stopping.join(30)

    assert running.session.dynamodb.items[running.stream.open()[0]]["sequence"]["S"] == last


def test_a_stop_ends_the_retries_of_a_batch_that_never_succeeds() -> None:
    with Running(lambda _: report(""), **PARTIAL) as running:
        running.stream.put("a")
        eventually(lambda: len(running.data) >= 2)

    assert running.session.dynamodb.items[running.stream.open()[0]].get("sequence") is None


def test_what_a_crash_leaves_without_a_checkpoint_is_delivered_again() -> None:
    with Running(slow, BatchSize=5) as running:
        for number in range(40):
            running.stream.put(str(number))
        eventually(lambda: len(running.data) == 40)
        crashed = dict(running.session.dynamodb.items)
    first = running.session.dynamodb.history[-4][1]
    name = running.stream.open()[0]
    running.session.dynamodb.items[name] = {**crashed[name], "sequence": {"S": first}}

    again = a_poller(running.session, running.properties)
    again.start()
    eventually(lambda: len(running.data) > 40 and running.data[-1] == "39")
    again.stop()

    repeated = running.data[40:]
    assert repeated == [str(number) for number in range(40 - len(repeated), 40)]
    assert set(running.data) == {str(number) for number in range(40)}


def test_a_stop_that_forgets_the_checkpoint_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the last checkpoint before a stop is dropped, so records come twice."""
    shipped = ShardShelf.checkpoint

    def forgetful(self: ShardShelf, sequence: str) -> None:
        if not self._wait(0):
            shipped(self, sequence)

    monkeypatch.setattr(ShardShelf, "checkpoint", forgetful)
    with Running(slow, KinesisStream(shards=3), BatchSize=5) as running:
        with load(running.stream) as put:
            for stop in range(1, STOPS):
                eventually(lambda stop=stop: len(running.data) > stop * 25)
                running.restart()
        eventually(lambda: set(running.data) >= set(put))

    assert len(running.data) > len(put)
