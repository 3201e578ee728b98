import asyncio
import time
from collections.abc import Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from eventstream.local import reshard_guard
from eventstream.local.reshard_guard import (
    HeldUpError,
    ReshardGuard,
    UndrainedError,
    operation,
    stream_name,
)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the stream at every turn."""
    monkeypatch.setattr(reshard_guard, "_LOOK_S", 0)


class Stream:
    """A stream that is drained when a test says so."""

    def __init__(self, *, drained: bool = True) -> None:
        self.drained = drained
        self.asked: list[tuple[str | None, float]] = []

    def __call__(self, stream: str | None, since_s: float) -> bool:
        self.asked.append((stream, since_s))
        return self.drained


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 20))


async def until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0)


async def turns(number: int = 100) -> None:
    """Let all others go on for a while: as often, not as long."""
    for _ in range(number):
        await asyncio.sleep(0)


def test_a_change_waits_for_puts_that_are_under_way_and_then_for_the_stream() -> None:
    order: list[str] = []

    async def work() -> None:
        stream = Stream(drained=False)
        guard, put_over = ReshardGuard(stream), asyncio.Event()

        async def put() -> None:
            async with guard.putting():
                await put_over.wait()
                order.append("put")

        async def change() -> None:
            async with guard.changing("events"):
                order.append("changed")

        putting = asyncio.create_task(put())
        await asyncio.sleep(0)
        changing = asyncio.create_task(change())
        await turns()
        assert stream.asked == []
        put_over.set()
        await putting
        over_s = time.time()
        await until(lambda: len(stream.asked) > 2)
        order.append("drained")
        stream.drained = True
        await changing
        assert {name for name, _ in stream.asked} == {"events"}
        assert all(since_s >= over_s - 0.1 for _, since_s in stream.asked)

    run(work())
    assert order == ["put", "drained", "changed"]


def test_a_put_waits_until_the_shards_have_changed() -> None:
    order: list[str] = []

    async def work() -> None:
        guard, finish = ReshardGuard(Stream()), asyncio.Event()

        async def put() -> None:
            async with guard.putting():
                order.append("put")

        async with guard.changing("events"):
            putting = asyncio.create_task(put())
            await turns()
            order.append("changed")
            finish.set()
        await putting

    run(work())
    assert order == ["changed", "put"]


def test_a_put_does_not_wait_for_ever() -> None:
    async def work() -> None:
        guard = ReshardGuard(Stream(), hold_s=0.01)
        async with guard.changing("events"):
            with pytest.raises(HeldUpError, match="try again"):
                async with guard.putting():
                    raise AssertionError("it was let through")

    run(work())


def test_a_stream_that_is_not_drained_is_not_changed_and_takes_puts_again() -> None:
    async def work() -> None:
        guard = ReshardGuard(Stream(drained=False), drain_s=0.01)
        with pytest.raises(UndrainedError, match="shards of events can't be changed"):
            async with guard.changing("events"):
                raise AssertionError("it was changed")
        async with guard.putting():
            pass

    run(work())


def test_a_change_that_fails_lets_puts_through_again() -> None:
    async def work() -> None:
        guard = ReshardGuard(Stream())
        with pytest.raises(ValueError, match="refused"):
            async with guard.changing(None):
                raise ValueError("refused")
        async with guard.putting():
            pass

    run(work())


def test_two_changes_do_not_meet() -> None:
    inside: list[int] = []

    async def work() -> None:
        guard = ReshardGuard(Stream())

        @asynccontextmanager
        async def counted() -> Any:
            async with guard.changing("events"):
                inside.append(1)
                yield
                inside.append(-1)

        async def change() -> None:
            async with counted():
                await turns()

        await asyncio.gather(change(), change(), change())

    run(work())
    assert inside == [1, -1] * 3


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("Kinesis_20131202.SplitShard", "SplitShard"),
        ("Kinesis_20131202.PutRecords", "PutRecords"),
        ("DynamoDB_20120810.PutItem", ""),
        ("", ""),
    ],
)
def test_an_operation_of_kinesis_is_known_by_its_target(target: str, found: str) -> None:
    assert operation(target) == found


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"StreamName": "events"}', "events"),
        (b'{"StreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/events"}', "events"),
        (b"{}", None),
        (b"[]", None),
        (b"\xa1cbor", None),
    ],
)
def test_the_stream_is_read_from_the_request(body: bytes, found: str | None) -> None:
    assert stream_name(body) == found
