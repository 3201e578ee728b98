"""Changing the shards of a running stream without losing what is in it.

The emulator forgets a parent shard, with everything in it, at the moment of a split or a merge;
Kinesis keeps it until its records expire. So whoever asks for a change waits here until all that
was put is processed, and whoever puts waits until the shards have changed.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from eventstream.local.errors import LocalRuntimeError

CHANGES = frozenset({"MergeShards", "SplitShard", "UpdateShardCount"})
"""Operations of Kinesis that give a stream other shards."""

PUTS = frozenset({"PutRecord", "PutRecords"})

HOLD_S = 25.0
"""Longest that a put waits: less than the 30 s that API Gateway gives an answer."""

DRAIN_S = 60.0
"""Longest that a change waits until everything is processed."""

_LOOK_S = 0.05


class HeldUpError(LocalRuntimeError):
    """Shards are being changed for longer than a put can wait."""

    code = "held_up"


class UndrainedError(LocalRuntimeError):
    """A stream isn't processed in time for a change of its shards."""

    code = "undrained"


class ReshardGuard:
    """Keeps puts and changes of shards apart.

    Parameters
    ----------
    drained
        Says of a stream, by its name, or of all with ``None``, whether everything in it was seen
        done at or after a time in seconds since 1970.
    """

    def __init__(
        self,
        drained: Callable[[str | None, float], bool],
        *,
        hold_s: float = HOLD_S,
        drain_s: float = DRAIN_S,
    ) -> None:
        self._drained = drained
        self._hold_s = hold_s
        self._drain_s = drain_s
        self._putting = 0
        self._one_change = asyncio.Lock()
        self._open = asyncio.Event()
        self._open.set()

    @asynccontextmanager
    async def putting(self) -> AsyncIterator[None]:
        """Put something on a stream inside of this.

        Raises
        ------
        HeldUpError
            Shards are being changed, and go on being so.
        """
        deadline_s = time.monotonic() + self._hold_s
        # Nothing else runs between this look and the count, so no change can begin in between.
        while not self._open.is_set():
            try:
                await asyncio.wait_for(self._open.wait(), deadline_s - time.monotonic())
            except TimeoutError:
                raise HeldUpError("shards are being changed; try again in 1 s") from None
        self._putting += 1
        try:
            yield
        finally:
            self._putting -= 1

    @asynccontextmanager
    async def changing(self, stream: str | None) -> AsyncIterator[None]:
        """Change the shards of a stream inside of this; ``None`` when its name isn't known.

        Raises
        ------
        UndrainedError
            What it holds isn't processed in time; nothing was changed.
        """
        async with self._one_change:
            self._open.clear()
            try:
                await self._wait_until_drained(stream)
                yield
            finally:
                self._open.set()

    async def _wait_until_drained(self, stream: str | None) -> None:
        deadline_s = time.monotonic() + self._drain_s
        since_s: float | None = None
        while True:
            if not self._putting:
                since_s = since_s or time.time()
                if self._drained(stream, since_s):
                    return
            if time.monotonic() > deadline_s:
                raise UndrainedError(
                    f"the shards of {stream or 'the stream'} can't be changed: its records aren't "
                    f"processed after {self._drain_s:.0f} s"
                )
            await asyncio.sleep(_LOOK_S)


def operation(target: str) -> str:
    """Return the operation of Kinesis that an ``X-Amz-Target`` names; else nothing."""
    service, _, name = target.partition(".")
    return name if service.startswith("Kinesis_") else ""


def stream_name(body: bytes) -> str | None:
    """Return the stream that a request to Kinesis names; ``None`` when it can't be read."""
    try:
        request = json.loads(body)
    except ValueError:
        return None
    if not isinstance(request, dict):
        return None
    name = request.get("StreamName") or str(request.get("StreamARN", "")).rpartition("/")[2]
    return str(name) or None
