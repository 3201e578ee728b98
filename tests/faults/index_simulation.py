"""Schedules in which clients send events again, hours later and without a timestamp.

Which of an event's lines is the one that counts is for the stream's order to say. What must hold
is that there is one: its rows in one hour of the lake, and the counters made from just the rows.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any, Protocol

from common.domain.bad_lines import BadLine
from common.domain.decode import StreamLine
from common.domain.event_index import EventKey, IndexEntry, IndexRules, address
from common.ports.event_index import EventIndexStore, IndexChange, IndexWritten
from fakes.event_index import MemoryEventIndex
from faults.judge import _total, unmarked
from faults.simulation import Family, Simulation, Subject
from faults.stepping import Runners
from faults.traffic import STREAM, Sent, _count
from faults.world import Wire, World
from process.index import EventIndex
from process.service import Deps

RULES = IndexRules.of(14)
_AT_ONCE = 3
"""Events of one transaction: so few that a batch has several, and a lost one has neighbours."""


@dataclass(frozen=True)
class Sending:
    """An event as it was sent once; without a timestamp, it happened when it came."""

    event_id: str
    event_type: str
    came: str
    stamp: str | None = None
    user: int | None = None
    is_error: bool = False
    latency_ms: float | None = None
    replayed: bool = False
    rejected: bool = False
    broken: bytes | None = None

    @property
    def at(self) -> str:
        return self.stamp or self.came

    @property
    def is_hot(self) -> bool:
        """Say whether it happened in the hour of its receipt or in the one before; all one day."""
        return int(self.at[11:13]) >= int(self.came[11:13]) - 1

    @property
    def poison(self) -> bytes | None:
        if self.rejected:
            why = {"rule": "missing", "field": "type", "message": "m", "received_at": self.came}
            why |= {"event_id": self.event_id, "source": "public"}
            return json.dumps({"rejected": why, "raw": "{}"}, separators=(",", ":")).encode()
        return self.broken

    def as_bytes(self) -> bytes:
        if self.poison is not None:
            return self.poison
        body = {
            "event_id": self.event_id,
            "event_type": self.event_type,
            "timestamp": self.at,
            "user_id": None if self.user is None else f"u{self.user}",
            "is_error": self.is_error,
            "latency_ms": self.latency_ms,
            "replayed": self.replayed,
            "timestamp_source": "client" if self.stamp else "received",
            "received_at": self.came,
            "ingested_at": self.came,
            "schema_version": 1,
        }
        return json.dumps(body).encode()


def random_sendings(rng: Random, record: int, user: int | None = None) -> tuple[Sending, ...]:
    """One to three lines; half of them were sent before, or will be, some twice in a record.

    Of some the same request has a second one under the same id, which happened at another hour.
    """
    lines = [_sending(rng, f"{record}-{n}", user) for n in range(rng.choice((1, 1, 2, 3)))]
    if rng.random() < 0.15:
        line = rng.choice(lines)
        hour = int(line.came[11:13]) - rng.choice((1, 1, 3))
        lines.append(replace(line, stamp=f"{line.came[:11]}{hour:02d}{line.came[13:]}"))
    return tuple(lines)


def _sending(rng: Random, event_id: str, user: int | None) -> Sending:
    if rng.random() < 0.5:
        event_id = f"again-{rng.randrange(8)}"
    hour, minute, ms = rng.randrange(8, 13), rng.choice((1, 4, 58)), rng.randrange(1000)
    return Sending(
        event_id,
        f"type-{rng.randrange(4)}",
        f"2026-11-20T{hour:02d}:{minute:02d}:30.{ms:03d}Z",
        user=user,
        is_error=rng.random() < 0.2,
        latency_ms=rng.choice((None, rng.lognormvariate(4.5, 0.7))),
        rejected=rng.random() < 0.05,
        broken=b'{"a":' if rng.random() < 0.02 else None,
    )


class RemoteIndexStore(EventIndexStore):
    """Entries behind calls that fail in every way a call can; each transaction is a call."""

    def __init__(self, stored: MemoryEventIndex, wire: Wire, seen: Counter[str]) -> None:
        self._stored, self._wire, self._seen = stored, wire, seen

    def write(self, changes: Sequence[IndexChange]) -> IndexWritten:
        done: frozenset[EventKey] = frozenset()
        lost: dict[EventKey, IndexEntry | None] = {}
        for begin in range(0, len(changes), _AT_ONCE):
            written = self._wire.call(partial(self._write, changes[begin : begin + _AT_ONCE]))
            done |= written.done
            lost |= written.lost
        return IndexWritten(done, lost)

    def _write(self, changes: Sequence[IndexChange]) -> IndexWritten:
        written = self._stored.write(changes)
        for change in changes:
            stored = written.lost.get(change.entry.key)
            self._seen["event claimed"] += change.over is None and not written.lost
            self._seen["rejected one replaced"] += bool(
                change.over and change.over.state == "quarantined" and not written.lost
            )
            self._seen["own line again"] += bool(stored and stored.at == change.entry.at)
            self._seen["sent again"] += bool(
                stored and stored.state == "stored" and stored.at != change.entry.at
            )
            self._seen["neighbour of a lost one"] += bool(written.lost and stored is None)
        return written

    def read(self, keys: Sequence[EventKey | None]) -> dict[EventKey, IndexEntry]:
        """Look entries up, as a control does."""
        entries = self._stored.entries
        return self._wire.call(lambda: {key: entries[key] for key in keys if key in entries})  # type: ignore[index]


class IndexLike(Protocol):
    def admit(
        self, lines: Sequence[StreamLine], bad: Sequence[BadLine]
    ) -> tuple[StreamLine, ...]: ...


MakeIndex = Callable[[RemoteIndexStore, IndexRules], IndexLike | None]


@dataclass
class IndexSimulation(Simulation):
    """A schedule of events that are sent again."""

    make: MakeIndex = EventIndex
    stored: MemoryEventIndex = field(default_factory=lambda: MemoryEventIndex(_AT_ONCE))

    def _record(self, shard: str, sequence: str, user: int, number: int) -> Sent:
        return Sent.of(shard, sequence, user, random_sendings(self.rng, number))  # type: ignore[arg-type]

    def _environment(self) -> Deps:
        reused = len(self._idle)
        deps = super()._environment()
        if len(self._idle) < reused:
            return deps
        store = RemoteIndexStore(self.stored, self, self.world.seen)
        return replace(deps, index=self.make(store, RULES))  # type: ignore[arg-type]

    def every_record(self) -> list[Sent]:
        """Return what was on the stream in the end, replayed records too."""
        return [one for lane in self.lanes for one in lane.records]


@dataclass
class IndexVerdicts:
    """What a set of schedules came to."""

    schedules: int = 0
    wrong: int = 0
    """Schedules in which anything that follows is not zero."""
    lost: int = 0
    """Events that are in no hour of the lake."""
    twice: int = 0
    """Events that are in several hours of the lake: no reader could tell."""
    twice_in: int = 0
    """Schedules with such events."""
    hot_wrong: int = 0
    """Schedules whose windows are not what the rows of the lake come to."""
    hot_over: int = 0
    """Schedules whose windows count more than there are events."""
    unmarked: int = 0
    misplaced: int = 0
    """Entries that name a line or an object that the lake does not have."""
    events: int = 0
    deliveries: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def add(self, run: IndexSimulation) -> None:
        hours, sent = _hours(run.world), _ids(run.sent)
        lost = sum(not hours.get(event_id) for event_id in sent)
        twice = sum(len(found) > 1 for found in hours.values())
        expected = _windows(run)
        hot_wrong = run.world.hot.windows != expected
        counted = sum(_total(window) for window in run.world.hot.windows.values())
        over = counted > len(sent)
        late = bool(unmarked(run.world, late=run.family.late_calls))
        stale = len(run.observer.stale(_rows(run.world)))  # type: ignore[arg-type]
        self.schedules += 1
        self.wrong += bool(lost or twice or hot_wrong or late or stale)
        self.lost += lost
        self.twice += twice
        self.twice_in += bool(twice)
        self.hot_wrong += hot_wrong
        self.hot_over += over
        self.unmarked += late or bool(stale)
        self.misplaced += _misplaced(run)
        self.events += len(sent)
        self.deliveries += run.deliveries
        self.seen.update(run.faults)
        self.seen.update(run.world.seen)
        for lane in run.lanes:
            self.seen.update(lane.counts)


def _ids(sent: Sequence[Sent]) -> set[str]:
    return {line.event_id for one in sent for line in one.lines if line.poison is None}


def _hours(world: World) -> dict[str, set[str]]:
    """Return the hours of the lake that have an event, copies dropped."""
    hours: dict[str, set[str]] = defaultdict(set)
    for key, lines in world.lake.objects.items():
        for line in lines:
            hours[line.event.event_id].add(key.rpartition("/")[0])
    return hours


def _rows(world: World) -> Any:
    return SimpleNamespace(rows_by_hour={hour: len(rows) for hour, rows in world.rows.items()})


def _windows(run: IndexSimulation) -> dict[tuple[str, str], Any]:
    """Count the rows of the lake as the counters must, by code that shares nothing with them."""
    hot: dict[tuple[str, str], list[tuple[str, Any]]] = defaultdict(list)
    for one in run.every_record():
        for number, line in enumerate(one.lines):
            if (one.shard, one.sequence, number) in run.world.first_seen and not line.replayed:
                at, is_hot = line.at, line.is_hot  # type: ignore[attr-defined]
                if not is_hot:
                    continue
                key = (f"HOT#{at[:13]}", f"{int(at[14:16]) // 5 * 5:02d}#{STREAM}#{one.shard}")
                hot[key].append((one.sequence, line))
    return {key: _count(records, run.max_types) for key, records in sorted(hot.items())}


def _misplaced(run: IndexSimulation) -> int:
    """Count entries that do not lead to the event."""
    objects = run.world.lake.objects
    wrong = 0
    for entry in run.stored.entries.values():
        if entry.state == "quarantined":
            wrong += entry.object_key not in run.world.lake.quarantined
            continue
        places = [(entry.at, entry.object_key), *([tuple(entry.again)] if entry.again else [])]
        wrong += not any(
            address(line.position, line.line) == at
            for at, key in places
            for line in objects.get(key, ())
        )
    return wrong


def run_index(
    family: Family,
    count: int,
    runners: Runners,
    make: MakeIndex = EventIndex,
    subject: Subject | None = None,
) -> IndexVerdicts:
    """Run and judge ``count`` schedules; the same ones each time."""
    verdicts = IndexVerdicts()
    for number in range(count):
        rng = Random(f"index/{family.name}/{number}")
        one = IndexSimulation(family, subject or Subject(), rng, runners, World(), make=make)
        one.run()
        verdicts.add(one)
    return verdicts
