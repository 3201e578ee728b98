"""What is stored, behind calls that fail in every way a call can."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Protocol, TypeVar

from common.domain.decode import BadLine
from common.domain.hot import HotWindow, TypeCount, WindowKey
from common.domain.windows import iso_hour
from common.errors import StoreError, ThrottledError
from common.ports.hot import HotStore, Lost
from common.ports.hours import HourMarks
from common.ports.lake import Lake, LakeObject
from fakes.hot import MemoryHotStore
from fakes.hours import MemoryHourMarks
from fakes.lake import MemoryLake
from faults.traffic import LineId

Answer = TypeVar("Answer")


class Crash(BaseException):
    """The execution environment dies; nothing in the code may catch it."""


class Wire(Protocol):
    """Carries calls to the stores, more or less."""

    def call(self, apply: Callable[[], Answer]) -> Answer: ...


class World:
    """The stores, and when what was first written."""

    def __init__(self) -> None:
        self.lake = MemoryLake()
        self.hours = MemoryHourMarks()
        self.hot = MemoryHotStore()
        self.seen = Counter[str]()
        self.first_seen: dict[LineId, tuple[str, int]] = {}
        self.rows: dict[str, set[LineId]] = {}
        self.last_object: dict[str, int] = {}
        self.last_mark: dict[str, int] = {}
        self.waited = timedelta(0)
        self._tick = 0

    def tick(self) -> int:
        self._tick += 1
        return self._tick

    def put_object(self, one: LakeObject) -> None:
        there = self.lake.objects.get(one.key)
        if there is not None:
            self.seen["object was there"] += 1
            if there != one.lines:
                self.seen["one key, other rows"] += 1
            return
        tick = self.tick()
        for line in one.lines:
            hour = iso_hour(line.event.timestamp)
            row = (line.position.shard, line.position.sequence, line.line)
            self.first_seen.setdefault(row, (hour, tick))
            self.rows.setdefault(hour, set()).add(row)
            self.last_object[hour] = tick
        self.lake.put_events([one])

    def mark(self, hour: datetime) -> None:
        self.last_mark[iso_hour(hour)] = self.tick()
        self.hours.raise_generation([hour])

    def put_window(self, key: WindowKey, window: HotWindow, over: str | None) -> Lost | None:
        lost = self.hot.put(key, window, over=over)
        self.seen["condition lost" if lost else "window written"] += 1
        self.seen["memory was stale"] += lost is not None and over is not None
        self.seen["counted before it was in the lake"] += lost is None and self._ahead(key, window)
        return lost

    def _ahead(self, key: WindowKey, window: HotWindow) -> bool:
        """Say whether a window counts more lines than the lake has of its hour and shard."""
        rows = self.rows.get(iso_hour(key.start), set())
        in_lake = sum(shard == key.shard for shard, _, _ in rows)
        return sum(of.count for of in window.types.values()) > in_lake

    def add_blindly(self, key: WindowKey, window: HotWindow) -> None:
        """Add without a condition, as a control does."""
        stored = self.hot.windows.get((key.pk, key.sk))
        self.hot.windows[key.pk, key.sk] = summed(stored, window) if stored else window


def summed(stored: HotWindow, added: HotWindow) -> HotWindow:
    """Add the counts of two windows; what latencies they hold does not matter to the control."""
    types = dict(stored.types)
    for name, new in added.types.items():
        old = types.get(name, TypeCount(0, 0))
        types[name] = TypeCount(old.count + new.count, old.errors + new.errors)
    return HotWindow(types, added.mark)


class RemoteLake(Lake):
    """Puts objects in any order; after a failure the others may land or not."""

    def __init__(self, world: World, wire: Wire, rng: Random) -> None:
        self._world, self._wire, self._rng = world, wire, rng

    def put_events(self, objects: Sequence[LakeObject]) -> None:
        self._each([partial(self._world.put_object, one) for one in objects])

    def put_quarantine(self, lines: Sequence[BadLine]) -> None:
        self._each([partial(self._world.lake.put_quarantine, [bad]) for bad in lines])

    def _each(self, puts: list[Callable[[], None]]) -> None:
        failure: Exception | None = None
        for put in self._rng.sample(puts, len(puts)):
            try:
                self._wire.call(put)
            except (ThrottledError, StoreError) as error:
                failure = error
                if self._rng.random() < 0.5:
                    break
        if failure:
            raise failure


class RemoteHourMarks(HourMarks):
    def __init__(self, world: World, wire: Wire) -> None:
        self._world, self._wire = world, wire

    def raise_generation(self, hours: Sequence[datetime]) -> None:
        for hour in hours:
            self._wire.call(partial(self._world.mark, hour))


class RemoteHotStore(HotStore):
    def __init__(self, world: World, wire: Wire) -> None:
        self._world, self._wire = world, wire

    def put(self, key: WindowKey, window: HotWindow, *, over: str | None) -> Lost | None:
        return self._wire.call(lambda: self._world.put_window(key, window, over))

    def wait(self, some: timedelta) -> timedelta:
        """Let time pass for a control that looks at the clock, and return how much has by now."""
        self._world.waited += some
        return self._world.waited

    def add_blindly(self, key: WindowKey, window: HotWindow) -> None:
        self._wire.call(lambda: self._world.add_blindly(key, window))
