"""What a session is, and what of a batch of events has a part in sessions.

A computed session is a longest run of a person's events in which each follows the one before it
within the gap, by event time. Events that carry the client's own session id are that session,
whatever lies between them; they take no part in the runs of the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

from common.domain.decode import StreamLine
from common.domain.keys import person_key, sequence_mark
from common.domain.windows import to_ms
from common.models import EnrichedEvent, SessionSource

MAX_SESSIONS = 200
"""Sessions that are kept of a person, the last ones: with the longest ids they take 220 KB of the
400 KB that DynamoDB gives an item. People have a few a day; who has more is a machine."""

MAX_IDENTITY = 256
"""Characters of a user, anonymous or session id. Ingest lets no longer one pass; from others who
write to the stream, a longer one names nobody."""

_DAY_MS = 86_400_000
MARGIN_MS = 2 * _DAY_MS
"""How much longer than the sessions themselves marks are kept, and sessions that late events may
still join: more than the age difference of two records under way at a time."""


class Person(NamedTuple):
    """Whose events belong together."""

    kind: Literal["user", "anonymous"]
    name: str

    @property
    def key(self) -> str:
        """Name the person in keys and session ids, whatever their own id is made of."""
        return person_key(self.kind, self.name)


@dataclass(frozen=True, slots=True)
class SessionRules:
    """How events become sessions."""

    gap_ms: int
    """Events this far apart are one session, events further apart two."""
    retention_ms: int
    """How long a session is told of after its last event. An event that is older than this when
    it is received has no part in any session."""
    max_sessions: int = MAX_SESSIONS

    @classmethod
    def of(cls, gap_minutes: int, retention_days: int) -> Self:
        """Make the rules of a deployment's parameters."""
        return cls(gap_minutes * 60_000, retention_days * _DAY_MS)

    @property
    def keep_ms(self) -> int:
        """Age from which on a session and a mark may go, against the newest record's."""
        return self.retention_ms + self.gap_ms + MARGIN_MS


class Session(NamedTuple):
    """One session; ends are the instants of its first and last event."""

    start_ms: int
    end_ms: int
    events: int
    """Stream lines in it; a line that was replayed is in its span and not in its number."""
    client_id: str | None = None
    """The client's own id of it; ``None`` for a computed one."""

    @property
    def source(self) -> SessionSource:
        """Say who tells where the session begins and ends."""
        return "computed" if self.client_id is None else "client"

    def id_of(self, person: Person) -> str:
        """Return the client's id, else one made of the person and the session's start."""
        return self.client_id or computed_id(person.key, self.start_ms)


class Sighting(NamedTuple):
    """What sessions take from an event."""

    at_ms: int
    arrived_ms: int
    """When its line came: the same at each delivery, and not for its producer to say."""
    client_id: str | None
    counts: bool


class RecordSightings(NamedTuple):
    """What one record tells of one person: taken whole or not at all."""

    shard: str
    mark: str
    sightings: tuple[Sighting, ...]


def computed_id(key: str, start_ms: int) -> str:
    """Return the id of a computed session.

    >>> computed_id("6b86b273ff34fce19d6b804eff5a3f57", 1795169190123)
    '6b86b273ff34fce19d6b804eff5a3f57-1795169190123'
    """
    return f"{key}-{start_ms}"


def person_of(event: EnrichedEvent) -> Person | None:
    """Return whose event it is; ``None`` when it names nobody."""
    if event.user_id:
        return Person("user", event.user_id) if len(event.user_id) <= MAX_IDENTITY else None
    if event.anonymous_id and len(event.anonymous_id) <= MAX_IDENTITY:
        return Person("anonymous", event.anonymous_id)
    return None


Seen = tuple[Person, Sighting]


def seen_in(line: StreamLine, rules: SessionRules) -> Seen | None:
    """Return whose event a line is and what sessions take from it; ``None``: it has no part.

    It depends on the event alone whether it has one, so that every delivery decides alike.
    """
    event = line.event
    person = person_of(event)
    if person is None:
        return None
    at_ms, age = to_ms(event.timestamp), event.received_at - event.timestamp
    # Most events are younger than this by days, which can be seen without looking closely.
    may_be_old = (age.days + 1) * _DAY_MS > rules.retention_ms
    if may_be_old and to_ms(event.received_at) - at_ms > rules.retention_ms:
        return None
    arrived_ms = to_ms(line.arrived_at or event.received_at)
    client_id = event.session_id or None
    if client_id is not None and len(client_id) > MAX_IDENTITY:
        client_id = None
    return person, Sighting(at_ms, arrived_ms, client_id, not event.replayed)


def by_person(
    lines: Iterable[StreamLine], seen: Iterable[Seen | None]
) -> dict[Person, list[RecordSightings]]:
    """Group what is seen in the lines of a batch.

    Returns
    -------
    dict
        For each person their records in order of their marks, shard by shard.
    """
    grouped: dict[Person, dict[tuple[str, str], list[Sighting]]] = {}
    before, record = None, ("", "")
    for line, found in zip(lines, seen, strict=True):
        if found is not None:
            person, sighting = found
            at = line.position
            if at is not before:
                before, record = at, (f"{at.stream}#{at.shard}", sequence_mark(at.sequence))
            grouped.setdefault(person, {}).setdefault(record, []).append(sighting)
    return {
        person: [
            RecordSightings(shard, mark, tuple(sightings))
            for (shard, mark), sightings in sorted(records.items())
        ]
        for person, records in grouped.items()
    }
