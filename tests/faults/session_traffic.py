"""Random people with events around the gap, and the sessions that sorting makes of them.

The expectation is made of what was sent, by code that shares nothing with the timelines.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from common.domain.sessions import Person, Session, SessionRules
from common.domain.timelines import Mark, Timeline
from faults.traffic import Sent

_MINUTE_MS = 60_000
_DAY_MS = 24 * 60 * _MINUTE_MS
_START = datetime(2026, 11, 20, 4, tzinfo=UTC)
_START_MS = int(_START.timestamp() * 1000)
RULES = SessionRules(gap_ms=30 * _MINUTE_MS, retention_ms=7 * _DAY_MS)
_POISON = (b'{"event_id":"x"}', b"\xff\xfe", b'{"a":', b"[]")


@dataclass(frozen=True)
class Visit:
    """One line: somebody at some time."""

    event_id: str
    person: Person | None
    at_ms: int
    arrived_ms: int
    client_id: str | None
    replayed: bool
    poison: bytes | None = None
    says_ms: int = 0
    """By how much a producer that writes to the stream itself is wrong about the receipt."""

    @property
    def received_ms(self) -> int:
        return self.arrived_ms + self.says_ms

    def as_bytes(self) -> bytes:
        if self.poison is not None:
            return self.poison
        who = {f"{self.person.kind}_id": self.person.name} if self.person else {}
        body = {
            "event_id": self.event_id,
            "event_type": "visit",
            "timestamp": _instant(self.at_ms),
            "session_id": self.client_id,
            "replayed": self.replayed,
            "timestamp_source": "client",
            "received_at": _instant(self.received_ms),
            "ingested_at": _instant(self.received_ms),
            "schema_version": 1,
            **who,
        }
        return json.dumps(body).encode()

    @property
    def takes_part(self) -> bool:
        in_time = self.received_ms - self.at_ms <= RULES.retention_ms
        return self.poison is None and self.person is not None and in_time


def _instant(epoch_ms: int) -> str:
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=epoch_ms)
    return instant.isoformat(timespec="milliseconds")


def random_visits(rng: Random, record: int, user: int) -> tuple[Visit, ...]:
    """One to three lines of the people in one bucket of users."""
    people = (
        Person("user", f"u{user}"),
        Person("anonymous", f"u{user}"),
        Person("user", f"u{user + 6} \u00e9\u4e16"),
    )
    arrived_ms = _START_MS + 8 * 60 * _MINUTE_MS + record * 700
    return tuple(
        Visit(
            event_id=f"{record}-{number}",
            person=rng.choices((*people, None), (6, 2, 2, 0.5))[0],
            # Steps of ten minutes: three of them are the gap, and one millisecond more is not.
            at_ms=_START_MS + rng.randrange(48) * 10 * _MINUTE_MS + rng.choice((0, 0, 0, 1, -1)),
            arrived_ms=arrived_ms,
            client_id=f"s{rng.randrange(2)}" if rng.random() < 0.2 else None,
            replayed=rng.random() < 0.05,
            poison=rng.choice(_POISON) if rng.random() < 0.04 else None,
            says_ms=rng.choice((-12, 5)) * _DAY_MS if rng.random() < 0.1 else 0,
        )
        if rng.random() > 0.03
        else Visit(
            f"{record}-{number}", people[0], _START_MS - 7 * _DAY_MS, arrived_ms, None, False
        )
        for number in range(rng.choice((1, 1, 2, 3)))
    )


def of_the_stream(
    stream: str, shard: str, sequence: str, user: int, visits: tuple[Visit, ...]
) -> Sent:
    """Return the record of some visits on the stream of a flow, which it reaches when they say."""
    sent = Sent.of(shard, sequence, user, visits)  # type: ignore[arg-type]
    head = sent.record["eventSourceARN"].rpartition("/")[0]
    sent.record["eventSourceARN"] = f"{head}/{stream}"
    sent.record["kinesis"]["approximateArrivalTimestamp"] = visits[0].arrived_ms / 1000
    return sent


def by_sorting(visits: Iterable[Visit], gap_ms: int) -> tuple[Session, ...]:
    """Make the sessions of one person's events by putting them in order."""
    sessions: list[Session] = []
    named: dict[str, list[Visit]] = defaultdict(list)
    run: list[Visit] = []
    for visit in sorted(visits, key=lambda each: each.at_ms):
        if visit.client_id is not None:
            named[visit.client_id].append(visit)
            continue
        if run and visit.at_ms - run[-1].at_ms > gap_ms:
            sessions.append(_session(run))
            run = []
        run.append(visit)
    if run:
        sessions.append(_session(run))
    sessions += [_session(same) for same in named.values()]
    return tuple(sorted(sessions, key=lambda s: (s.start_ms, s.client_id or "")))


def _session(visits: Sequence[Visit]) -> Session:
    counted = sum(not visit.replayed for visit in visits)
    return Session(visits[0].at_ms, visits[-1].at_ms, counted, visits[0].client_id)


def expected_timelines(sent: Sequence[Sent], rules: SessionRules) -> dict[Person, Timeline]:
    """Return what must be stored once everything sent was processed.

    Where fewer sessions are kept than there can be, a person's records must be on one shard: what
    is dropped depends on their order then.
    """
    seen: dict[Person, list[tuple[Sent, list[Visit]]]] = defaultdict(list)
    for one in sorted(sent, key=lambda each: int(each.sequence)):
        for person in {visit.person for visit in one.lines if visit.takes_part}:
            visits = [v for v in one.lines if v.takes_part and v.person == person]
            seen[person].append((one, visits))
    return {person: _timeline(records, rules) for person, records in seen.items()}


def _timeline(records: Sequence[tuple[Sent, list[Visit]]], rules: SessionRules) -> Timeline:
    marks: dict[str, Mark] = {}
    for one, visits in records:
        last = f"{len(one.sequence):03d}{one.sequence}"
        stream = one.record["eventSourceARN"].rpartition("/")[2]
        marks[f"{stream}#{one.shard}"] = Mark(last, visits[0].arrived_ms)
    newest_ms = max(mark.arrived_ms for mark in marks.values())
    kept, overflow = _kept(records, rules)
    return Timeline(kept, marks, newest_ms, overflow)


def _kept(
    records: Sequence[tuple[Sent, list[Visit]]], rules: SessionRules
) -> tuple[tuple[Session, ...], int]:
    """Drop, after each record, the visits of the sessions that are too many; those ended first."""
    left: list[Visit] = []
    overflow = 0
    for _, visits in records:
        left += visits
        sessions = by_sorting(left, rules.gap_ms)
        surplus = sorted(sessions, key=lambda s: (s.end_ms, s.start_ms, s.client_id or ""))[
            : max(0, len(sessions) - rules.max_sessions)
        ]
        overflow += len(surplus)
        for gone in surplus:
            left = [
                visit
                for visit in left
                if visit.client_id != gone.client_id
                or not gone.start_ms <= visit.at_ms <= gone.end_ms
            ]
    return by_sorting(left, rules.gap_ms), overflow
