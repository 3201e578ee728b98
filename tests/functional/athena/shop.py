"""A week of a shop's events, and the answers that every sample query must give, by plain Python."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from common.models import EnrichedEvent
from fakes.lake_folder import LakeFolder, an_event

FIRST, LAST = date(2026, 10, 29), date(2026, 11, 4)
"""The days that are asked for; they lie in two months and over the end of a week."""
_DAYS = 7
_HOUR = timedelta(hours=1)
_PAGES = ("/", "/mugs", "/lamps", "/cart")
_CAMPAIGNS = (None, "autumn", "weekly")


def events(seed: int = 7) -> list[EnrichedEvent]:
    """Make the events of the days asked for, each once."""
    rng = random.Random(seed)
    made: list[EnrichedEvent] = []
    for visitor in range(60):
        days = sorted(rng.sample(range(_DAYS), k=rng.randint(1, _DAYS)))
        for day in days:
            start = datetime(2026, 10, 29, tzinfo=UTC) + timedelta(
                days=day, minutes=rng.randrange(20 * 60), milliseconds=rng.randrange(1000)
            )
            made += _session(rng, visitor, day, start)
    # Nobody's events; an id is unique within its source only.
    at = datetime(2026, 10, 30, 3, tzinfo=UTC)
    made += [an_event("shared", at, "ping", source=source) for source in ("public", "key-1")]
    return made


def _session(
    rng: random.Random, visitor: int, day: int, start: datetime
) -> Iterator[EnrichedEvent]:
    who: dict[str, Any] = {"session_id": f"s{visitor}-{day}" if visitor % 3 else None}
    who["user_id" if visitor % 2 else "anonymous_id"] = f"v{visitor}"
    campaign = rng.choice(_CAMPAIGNS)
    at = start
    for step in range(rng.randint(1, 8)):
        kind = rng.choice(("page_view", "page_view", "page_view", "add_to_cart", "purchase"))
        more: dict[str, Any] = {"is_error": rng.random() < 0.1, "utm_campaign": campaign}
        if kind == "page_view":
            more |= {"page_path": rng.choice(_PAGES), "latency_ms": rng.lognormvariate(5, 0.5)}
        yield an_event(f"e{visitor}-{day}-{step}", at, kind, **who, **more)
        at += timedelta(minutes=rng.choice((1, 5, 40, 75)))


def fill(lake: LakeFolder, made: list[EnrichedEvent]) -> None:
    """Store the events in several objects, some twice, among events of other days and sources."""
    rng = random.Random(8)
    shuffled = rng.sample(made, k=len(made))
    half = len(made) // 2
    for part in (shuffled[:half], shuffled[half:]):
        lake.write(sorted(part, key=lambda each: each.timestamp))
    # Sent again with the same id: a later copy, which says something else and must not count.
    again = [
        each.model_copy(
            update={
                "event_type": "purchase",
                "is_error": True,
                "received_at": each.received_at + timedelta(minutes=9),
            }
        )
        for each in rng.sample(made, k=40)
    ]
    lake.write(again, shard="shardId-000000000001")
    for day in (datetime(2026, 10, 28, 23, 59, tzinfo=UTC), datetime(2026, 11, 5, tzinfo=UTC)):
        lake.write([an_event(f"out-{day.day}-{n}", day, "page_view") for n in range(5)])


def visitor_of(event: EnrichedEvent) -> str | None:
    return event.user_id or event.anonymous_id


def top_events(made: list[EnrichedEvent]) -> list[tuple[Any, ...]]:
    counts = Counter(event.event_type for event in made)
    users = defaultdict(set)
    for event in made:
        users[event.event_type].add(visitor_of(event))
    return [
        (name, count, len(users[name] - {None}), round(100 * count / len(made), 2))
        for name, count in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    ]


def hourly_trend(made: list[EnrichedEvent]) -> list[tuple[Any, ...]]:
    hours: dict[datetime, list[EnrichedEvent]] = defaultdict(list)
    for event in made:
        start = event.timestamp.replace(minute=0, second=0, microsecond=0, tzinfo=None)
        hours[start].append(event)
    rows: list[tuple[Any, ...]] = []
    for start in sorted(hours):
        found = hours[start]
        change = len(found) - rows[-1][1] if rows else None
        users = {visitor_of(event) for event in found} - {None}
        errors = sum(event.is_error for event in found)
        rows.append((start, len(found), errors, len(users), change))
    return rows


def purchase_funnel(made: list[EnrichedEvent]) -> list[tuple[Any, ...]]:
    visits: dict[str, list[EnrichedEvent]] = defaultdict(list)
    for event in sorted(made, key=lambda each: each.timestamp):
        if name := event.session_id or visitor_of(event):
            visits[name].append(event)
    reached = Counter(step for found in visits.values() for step in range(1, _steps(found) + 1))
    names = ("page_view", "add_to_cart", "purchase")
    return [
        (
            step,
            name,
            reached[step],
            round(100 * reached[step] / reached[1], 2),
            round(100 * reached[step] / reached[step - 1], 2) if step > 1 else None,
        )
        for step, name in enumerate(names, start=1)
    ]


def _steps(found: list[EnrichedEvent]) -> int:
    """Walk a visit's events in order: how many steps it takes, each within an hour."""
    since, taken = None, 0
    for name in ("page_view", "add_to_cart", "purchase"):
        fitting = [
            event.timestamp
            for event in found
            if event.event_type == name
            and (since is None or since <= event.timestamp < since + _HOUR)
        ]
        if not fitting:
            return taken
        since, taken = fitting[0], taken + 1
    return taken


def error_rate(made: list[EnrichedEvent]) -> list[tuple[Any, ...]]:
    counts = Counter(event.event_type for event in made)
    errors = Counter(event.event_type for event in made if event.is_error)
    rows = [
        (name, count, errors[name], round(100 * errors[name] / count, 2))
        for name, count in counts.items()
    ]
    return sorted(rows, key=lambda row: (-row[3], -row[1], row[0]))


def daily_retention(made: list[EnrichedEvent]) -> list[tuple[Any, ...]]:
    return _retention(made, lambda day: day, [timedelta(days=n) for n in range(7)])


def weekly_retention(made: list[EnrichedEvent]) -> list[tuple[Any, ...]]:
    def monday(day: date) -> date:
        return day - timedelta(days=day.weekday())

    return _retention(made, monday, [timedelta(weeks=n) for n in range(5)])


def _retention(made: list[EnrichedEvent], start: Any, steps: list[timedelta]) -> list[Any]:
    active: dict[str, set[date]] = defaultdict(set)
    for event in made:
        if who := visitor_of(event):
            active[who].add(start(event.timestamp.date()))
    cohorts: dict[date, list[set[date]]] = defaultdict(list)
    for days in active.values():
        cohorts[min(days)].append(days)
    return [
        (first, *(sum(first + step in days for days in cohorts[first]) for step in steps))
        for first in sorted(cohorts)
    ]


def latencies(made: list[EnrichedEvent]) -> dict[str, list[float]]:
    """Return each page's latencies, sorted."""
    found: dict[str, list[float]] = defaultdict(list)
    for event in made:
        if event.page_path and event.latency_ms is not None:
            found[event.page_path].append(event.latency_ms)
    return {path: sorted(values) for path, values in found.items()}


def campaigns(made: list[EnrichedEvent]) -> list[tuple[Any, ...]]:
    by_visitor: dict[str, list[EnrichedEvent]] = defaultdict(list)
    for event in sorted(made, key=lambda each: each.timestamp):
        if who := visitor_of(event):
            by_visitor[who].append(event)
    visitors, buyers = Counter[str](), Counter[str]()
    for found in by_visitor.values():
        named = [event.utm_campaign for event in found if event.utm_campaign]
        name = named[-1] if named else "(none)"
        visitors[name] += 1
        buyers[name] += any(event.event_type == "purchase" for event in found)
    rows = [(n, c, buyers[n], round(100 * buyers[n] / c, 2)) for n, c in visitors.items()]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def sessions_by_day(made: list[EnrichedEvent]) -> list[tuple[Any, ...]]:
    by_day: dict[date, list[Session]] = defaultdict(list)
    for session in sessions(made):
        by_day[session.start.date()].append(session)
    return [
        (
            day,
            len(found),
            sum(session.events for session in found),
            sum((s.end - s.start) // timedelta(milliseconds=1) for s in found)
            // len(found)
            // 1000,
            round(100 * sum(session.events == 1 for session in found) / len(found), 2),
        )
        for day, found in sorted(by_day.items())
    ]


class Session(NamedTuple):
    user_id: str | None
    anonymous_id: str | None
    client_id: str | None
    start: datetime
    end: datetime
    events: int


def sessions(made: list[EnrichedEvent]) -> list[Session]:
    """Make sessions by sorting: a client's whole, the others cut where 30 minutes are passed."""
    people: dict[tuple[str | None, ...], list[datetime]] = defaultdict(list)
    for event in made:
        anonymous = None if event.user_id else event.anonymous_id
        if event.user_id or anonymous:
            people[event.user_id, anonymous, event.session_id].append(event.timestamp)
    found = []
    for (user, anonymous, client), times in people.items():
        begin = 0
        times.sort()
        for at in range(1, len(times) + 1):
            is_end = at == len(times)
            if is_end or (client is None and times[at] - times[at - 1] > timedelta(minutes=30)):
                run = times[begin:at]
                found.append(Session(user, anonymous, client, run[0], run[-1], len(run)))
                begin = at
    return sorted(found, key=lambda each: (each.start, str(each)))
