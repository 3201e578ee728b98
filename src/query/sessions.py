"""``GET /sessions`` and ``GET /sessions/active``: what is stored of people's sessions, live."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from common.domain.keys import ACTIVE_PARTS
from common.domain.sessions import Person, Session, SessionRules
from common.domain.timelines import session_at
from common.domain.windows import METRIC_WINDOW, from_ms, metric_window_of, rfc3339, to_ms
from common.ports.sessions import ActiveSlot, PersonSessions, SessionReadings
from query import cursor
from query.params import ParamReader

if TYPE_CHECKING:
    from query.service import Deps

Json = dict[str, Any]

MAX_PEOPLE = 1000
MAX_ROWS = 1000
DEFAULT_ROWS = 100

_SLOTS_AT_ONCE = 8
COMPUTED_ID = re.compile(r"([0-9a-f]{32})-(\d{1,14})", re.ASCII)
_ROW_CURSOR = re.compile(r"(-?\d{1,14})\n([^\n]{1,300})")
_SLOT_CURSOR = re.compile(r"(\d{1,14})\n([0-3])\n([0-9a-f]{32})", re.ASCII)


@dataclass(frozen=True, slots=True)
class StoredSessions:
    """Where sessions are read, and how long they can change."""

    readings: SessionReadings
    rules: SessionRules
    settles: timedelta
    """How long after an instant an event of it can still come, the gap left aside."""

    def row(self, person: Person, session: Session, now: datetime) -> Json:
        """Spell one session."""
        end = from_ms(session.end_ms)
        gap = timedelta(milliseconds=self.rules.gap_ms)
        settled = session.client_id is None and now > end + gap + self.settles
        return {
            "session_id": session.id_of(person),
            "source": session.source,
            **_who(person),
            "start": rfc3339(from_ms(session.start_ms)),
            "end": rfc3339(end),
            "duration_ms": session.end_ms - session.start_ms,
            "events": session.events,
            "is_active": abs(now - end) <= gap,
            "status": "final" if settled else "provisional",
        }


def _who(person: Person) -> Json:
    is_user = person.kind == "user"
    return {
        "user_id": person.name if is_user else None,
        "anonymous_id": None if is_user else person.name,
    }


def sessions(query: Mapping[str, str], deps: Deps) -> Json:
    """Answer one page of a person's sessions, newest first.

    Raises
    ------
    InvalidRequestError
        Naming each parameter and the rule that it breaks.
    """
    reader = ParamReader(query, ("user_id", "anonymous_id", "session_id", "limit", "cursor"))
    asked = _asked(reader)
    limit = reader.limit(DEFAULT_ROWS, MAX_ROWS)
    page = reader.cursor(_ROW_CURSOR)
    reader.done()
    stored, now = deps.sessions, deps.now()
    if stored is None:
        return {"sessions": [], "dropped": 0, "next_cursor": None, "hint": _OFF}
    found = stored.readings.of_person(asked.key)
    rows = _newest_first(found, asked, now, stored) if found else []
    if page is not None:
        rows = [row for row in rows if row.place < (int(page[0]), page[1])]
    more = len(rows) > limit
    body: Json = {
        "sessions": [stored.row(row.person, row.session, now) for row in rows[:limit]],
        "dropped": found.timeline.overflow if found else 0,
        "next_cursor": cursor.encode(*map(str, rows[limit - 1].place)) if more else None,
    }
    return body if rows or page else body | {"hint": _NOBODY}


_OFF = "sessions are off: the parameter Sessions of the stack says so"
_NOBODY = (
    "no session is stored: ids are compared letter by letter, and a session is kept for "
    "SessionRetentionDays after its last event"
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Whose sessions are asked for, and which of them."""

    key: str
    session_id: str | None
    start_ms: int | None
    """Where the session began when its id was computed; ``None`` for an id of the client's."""

    def means(self, session: Session, person: Person, holder: Session | None) -> bool:
        """Say whether a session is one that was asked for."""
        return self.session_id in (None, session.id_of(person)) or session is holder


def _asked(reader: ParamReader) -> _Asked:
    """Read a person, or the id of a computed session, which names its person."""
    user, anonymous = reader.identity("user_id"), reader.identity("anonymous_id")
    session_id = reader.identity("session_id")
    computed = COMPUTED_ID.fullmatch(session_id or "")
    if user is not None and anonymous is not None:
        reader.refuse("anonymous_id", "one_person", "give either user_id or anonymous_id")
    start_ms = int(computed[2]) if computed else None
    if user is not None:
        return _Asked(Person("user", user).key, session_id, start_ms)
    if anonymous is not None:
        return _Asked(Person("anonymous", anonymous).key, session_id, start_ms)
    if computed is None and not reader.errors:
        reader.refuse(
            "user_id",
            "one_person",
            "give user_id or anonymous_id; only the session_id of a computed session does without",
        )
    return _Asked(computed[1] if computed else "", session_id, start_ms)


@dataclass(frozen=True, slots=True)
class _Row:
    person: Person
    session: Session

    @property
    def place(self) -> tuple[int, str]:
        """Say where in the listing it stands."""
        return self.session.start_ms, self.session.id_of(self.person)


def _newest_first(
    found: PersonSessions, asked: _Asked, now: datetime, stored: StoredSessions
) -> list[_Row]:
    """Return the sessions asked for that are not past their retention."""
    oldest_ms = to_ms(now) - stored.rules.retention_ms
    # An id from before earlier events came: what began there is part of another session now.
    holder = None if asked.start_ms is None else session_at(found.timeline, asked.start_ms)
    rows = [
        _Row(found.person, session)
        for session in found.timeline.sessions
        if session.end_ms >= oldest_ms and asked.means(session, found.person, holder)
    ]
    return sorted(rows, key=lambda row: row.place, reverse=True)


def active_sessions(query: Mapping[str, str], deps: Deps) -> Json:
    """Answer the sessions whose last event is within the gap of now, some people at a time.

    The list is live: who sends an event while it is read may move to a page that was read.

    Raises
    ------
    InvalidRequestError
        Naming each parameter and the rule that it breaks.
    """
    reader = ParamReader(query, ("limit", "cursor"))
    limit = reader.limit(DEFAULT_ROWS, MAX_PEOPLE)
    page = reader.cursor(_SLOT_CURSOR)
    reader.done()
    now, stored = deps.now(), deps.sessions
    if stored is None:
        return {"sessions": [], "as_of": rfc3339(now), "next_cursor": None, "hint": _OFF}
    gap = timedelta(milliseconds=stored.rules.gap_ms)
    people = list(islice(_active_people(stored.readings, _slots(now, gap, page), limit), limit + 1))
    rows = [
        stored.row(found.person, session, now)
        for found in stored.readings.of_people([key for _, key in people[:limit]])
        for session in found.timeline.sessions
        if abs(now - from_ms(session.end_ms)) <= gap
    ]
    return {
        "sessions": rows,
        "as_of": rfc3339(now),
        "next_cursor": _position(*people[limit - 1]) if len(people) > limit else None,
    }


def _position(slot: ActiveSlot, key: str) -> str:
    return cursor.encode(str(to_ms(slot.at)), str(slot.part), key)


def _slots(now: datetime, gap: timedelta, page: Sequence[str] | None) -> Iterator[ActiveSlot]:
    """Yield the slots within the gap of now, newest first, from where a page goes on."""
    at, oldest = metric_window_of(now + gap), metric_window_of(now - gap)
    first = 0
    if page is not None:
        at, first = min(at, metric_window_of(from_ms(int(page[0])))), int(page[1])
        if at >= oldest:
            yield ActiveSlot(at, first, page[2])
        first += 1
    while at >= oldest:
        yield from (ActiveSlot(at, part) for part in range(first, ACTIVE_PARTS))
        at, first = at - METRIC_WINDOW, 0


def _active_people(
    readings: SessionReadings, slots: Iterable[ActiveSlot], limit: int
) -> Iterator[tuple[ActiveSlot, str]]:
    rest = iter(slots)
    while some := list(islice(rest, _SLOTS_AT_ONCE)):
        for slot, keys in zip(some, readings.active(some, limit + 1), strict=True):
            yield from ((slot, key) for key in keys)
