"""What the results must be, told from what was sent, by code that shares nothing with ours."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from common.domain.sessions import Person
from faults.pipeline_stream import Event, Placed
from faults.replay_simulation import mended_id
from faults.session_traffic import Visit, by_sorting
from faults.traffic import STREAM

Hours = frozenset[datetime]
WindowOfType = tuple[str, str, str]
"""Partition key and sort key of a window, and a type in it."""


def hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


@dataclass(frozen=True)
class Reference:
    """Everything that was sent, and which records were given up on their way."""

    placed: Sequence[Placed]
    given_up: frozenset[tuple[str, str]]
    has_index: bool

    @property
    def good(self) -> list[Placed]:
        return [one for one in self.placed if one.event.poison is None]

    def sendings(self) -> Mapping[str, list[Placed]]:
        """Return the lines of each event, in the order in which they were sent."""
        found: dict[str, list[Placed]] = defaultdict(list)
        for one in self.good:
            found[one.event.event_id].append(one)
        return found

    def hours_of(self, lines: Sequence[Placed]) -> tuple[Hours, bool]:
        """Return the hours that count an event, and whether it is all of them or one of them.

        Without the index, it is each hour it was sent with. With it, the hour of the line that
        was read first, which is the one sent first, unless lines were given up on their way.
        """
        hours = frozenset(hour(one.event.at) for one in lines)
        if not self.has_index or len(hours) == 1:
            return hours, True
        if any(one.record in self.given_up for one in lines):
            return hours, False
        return frozenset({hour(lines[0].event.at)}), True

    def mended(self) -> Iterator[tuple[datetime, str]]:
        """Name what bad lines are mended to, as of when they came."""
        for one in self.placed:
            if one.event.poison is not None:
                yield hour(one.event.received_at), mended_id(one.sequence, one.line)

    def figures(self) -> tuple[HourCounts, HourCounts]:
        """Return what each hour must count at least, and what it may count at most."""
        least, most = HourCounts(), HourCounts()
        for lines in self.sendings().values():
            hours, is_sure = self.hours_of(lines)
            for each in hours:
                most.add(each, lines[0].event)
                if is_sure:
                    least.add(each, lines[0].event)
        for each, event_id in self.mended():
            made = Event(event_id, "mended", "", each, each)
            least.add(each, made)
            most.add(each, made)
        return least, most

    def hot(self) -> Counter[WindowOfType]:
        """Count the lines that hot windows may hold."""
        return Counter(key for one in self.good if (key := hot_key(one)))

    def hot_for_sure(self) -> Counter[WindowOfType]:
        """Count the lines that they must hold once all is read: those never given up."""
        lines = self.good
        if self.has_index:
            lines = [
                same[0]
                for same in self.sendings().values()
                if not any(one.record in self.given_up for one in same)
            ]
        sure = (one for one in lines if one.record not in self.given_up)
        return Counter(key for one in sure if (key := hot_key(one)))

    def sessions(self, gap: timedelta) -> dict[Person, list[tuple[int, int, int]]]:
        """Return start, end and number of events of the sessions of each person.

        Left out are people of whom it is not known which lines count.
        """
        visits: dict[str, list[Visit]] = defaultdict(list)
        unsure = set()
        for lines in self.sendings().values():
            user = lines[0].event.user
            if self.has_index:
                moments = {one.event.at for one in lines}
                if len(moments) > 1 and any(one.record in self.given_up for one in lines):
                    unsure.add(user)
            counted = lines[:1] if self.has_index else lines
            visits[user] += [_visit(one.event) for one in counted]
        return {
            Person("user", user): [
                (s.start_ms, s.end_ms, s.events)
                for s in by_sorting(same, gap // timedelta(milliseconds=1))
            ]
            for user, same in visits.items()
            if user not in unsure
        }


class HourCounts:
    """Counts, errors, latencies and people of each hour and type, and of all types."""

    def __init__(self) -> None:
        self._events: dict[tuple[datetime, str], dict[str, Event]] = defaultdict(dict)

    def add(self, of: datetime, event: Event) -> None:
        for name in (event.event_type, "*"):
            self._events[of, name][event.event_id] = replace(event, received_at=of)

    def keys(self) -> Iterable[tuple[datetime, str]]:
        return self._events.keys()

    def of(self, key: tuple[datetime, str]) -> tuple[int, int, int, int]:
        """Return count, errors, latencies and people."""
        events = self._events.get(key, {}).values()
        return (
            len(events),
            sum(event.is_error for event in events),
            sum(event.latency_ms is not None for event in events),
            len({event.user for event in events if event.user}),
        )


def hot_key(one: Placed) -> WindowOfType | None:
    """Name the window that takes a line: that of its time, if it came within the next hour."""
    at, received_at = one.event.at, one.event.received_at
    if hour(at) < hour(received_at) - timedelta(hours=1):
        return None
    minute = at.minute - at.minute % 5
    return f"HOT#{at:%Y-%m-%dT%H}", f"{minute:02d}#{STREAM}#{one.shard}", one.event.event_type


def _visit(event: Event) -> Visit:
    at_ms = round(event.at.timestamp() * 1000)
    received_ms = round(event.received_at.timestamp() * 1000)
    return Visit(event.event_id, Person("user", event.user), at_ms, received_ms, None, False)
