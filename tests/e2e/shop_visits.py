"""Generated visits to a shop, and what they add up to, computed without any of our code."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

TYPES = ("page_view", "page_view", "add_to_cart", "purchase")
PEOPLE = 24
SPREAD_MINUTES = 44
"""How far events lie before the end of the last hour: recent enough to be counted at once, in
nine windows of five minutes, so that there is much to interrupt between the first and the last
counter of a batch; and of an hour that has ended, so that it becomes final."""

GAP = timedelta(minutes=30)

Event = dict[str, str]


@dataclass
class Visits:
    """Visits of the last complete hour; every event has an id of its own.

    Every second person has a pause of more than half an hour, and so two sessions.
    """

    seed: int
    made: int = 0

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)

    def some(self, count: int) -> list[Event]:
        return [self._one() for _ in range(count)]

    def _one(self) -> Event:
        rng, person = self._rng, self._rng.randrange(PEOPLE)
        ago = 0.001 + rng.random() * SPREAD_MINUTES
        if person % 2:
            ago = ago % 6 + (0 if ago < SPREAD_MINUTES / 2 else SPREAD_MINUTES - 6)
        self.made += 1
        return {
            "event_id": f"visit-{self.seed}-{self.made}",
            "event_type": rng.choice(TYPES),
            "user_id": f"person-{person}",
            "timestamp": instant(self._end - timedelta(minutes=ago)),
        }


def instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def hourly(events: Iterable[Mapping[str, str]]) -> dict[str, dict[str, tuple[int, int]]]:
    """Return (count, unique users) by type and hour."""
    people: dict[tuple[str, str], list[str]] = defaultdict(list)
    for event in events:
        people[event["event_type"], event["timestamp"][:13]].append(event["user_id"])
    found: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for (event_type, hour), seen in people.items():
        found[event_type][hour] = (len(seen), len(set(seen)))
    return dict(found)


def sessions(events: Iterable[Mapping[str, str]]) -> Counter[tuple[str, str, str]]:
    """Return the events of each session, by its person, its start and its end."""
    by_person: dict[str, list[datetime]] = defaultdict(list)
    for event in events:
        by_person[event["user_id"]].append(datetime.fromisoformat(event["timestamp"]))
    found: Counter[tuple[str, str, str]] = Counter()
    for person, times in by_person.items():
        times.sort()
        first = 0
        for at in range(1, len(times) + 1):
            if at == len(times) or times[at] - times[at - 1] > GAP:
                found[person, instant(times[first]), instant(times[at - 1])] = at - first
                first = at
    return found
