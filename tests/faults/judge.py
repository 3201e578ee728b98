"""Compare what is stored after a schedule with what was sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from common.domain.hot import HotWindow
from faults.simulation import Simulation
from faults.traffic import Expected
from faults.world import World


@dataclass
class Verdicts:
    """What a set of schedules came to."""

    schedules: int = 0
    wrong: int = 0
    """Schedules in which anything that is promised did not hold."""
    hot_wrong: int = 0
    """Schedules in which any count, error, latency, type or mark is not what it must be."""
    over: int = 0
    """Schedules in which a window counted more lines than were sent, of whatever type."""
    lost: int = 0
    """Schedules in which a window counted fewer."""
    lake_wrong: int = 0
    copies: int = 0
    """Schedules in which a line lies in several objects: where batches keep their boundaries, a
    batch that comes again finds its objects there."""
    ids_wrong: int = 0
    quarantine_wrong: int = 0
    marked_too_early: int = 0
    stale_hours: int = 0
    deliveries: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    """How often each fault and each consequence of one happened."""

    @property
    def note(self) -> str:
        """Say how much was delivered and in which directions the windows went wrong."""
        return f"{self.deliveries:,} deliveries; windows: {self.over} +, {self.lost} -"

    def add(self, run: Simulation) -> None:
        """Judge one schedule."""
        truth, world = run.expected, run.world
        over, lost = _totals(world, truth)
        hot_wrong = world.hot.windows != truth.windows
        lake_wrong = set(world.first_seen) != truth.rows
        ids_wrong = ids_in(world) != truth.event_ids
        quarantine_wrong = set(world.lake.quarantined) != truth.quarantined
        too_early = bool(unmarked(world, late=run.family.late_calls))
        stale = len(run.observer.stale(truth))
        self.schedules += 1
        self.wrong += any((hot_wrong, lake_wrong, ids_wrong, quarantine_wrong, too_early, stale))
        self.deliveries += run.deliveries
        self.over += over
        self.lost += lost
        self.hot_wrong += hot_wrong
        self.lake_wrong += lake_wrong
        self.copies += sum(map(len, world.lake.objects.values())) > len(world.first_seen)
        self.ids_wrong += ids_wrong
        self.quarantine_wrong += quarantine_wrong
        self.marked_too_early += too_early
        self.stale_hours += stale
        self.seen.update(run.faults)
        self.seen.update(world.seen)
        self.seen["hour read while it was written"] += run.observer.settled()
        for lane in run.lanes:
            self.seen.update(lane.counts)


def ids_in(world: World) -> set[str]:
    """Return the event ids in the lake, as a reader that drops copies sees them."""
    return {line.event.event_id for lines in world.lake.objects.values() for line in lines}


def unmarked(world: World, *, late: bool) -> list[str]:
    """Name the hours that got something after they were last marked.

    Where calls land late, a copy of an object may come after the mark: then what counts is
    the last row that was new.
    """
    written = [(hour, tick) for hour, tick in world.last_object.items()]
    if late:
        written = list(world.first_seen.values())
    return [hour for hour, tick in written if world.last_mark.get(hour, 0) < tick]


def _totals(world: World, truth: Expected) -> tuple[bool, bool]:
    """Say whether a window counts more lines than were sent, and whether one counts fewer."""
    keys = truth.windows.keys() | world.hot.windows.keys()
    pairs = [(_total(world.hot.windows.get(key)), _total(truth.windows.get(key))) for key in keys]
    return any(is_ > should for is_, should in pairs), any(is_ < should for is_, should in pairs)


def _total(window: HotWindow | None) -> int:
    return sum(of.count for of in window.types.values()) if window else 0
