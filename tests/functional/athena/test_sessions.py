"""Sessions by SQL over the lake, by sorting, and as the process function stores them: one truth."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from common.domain.decode import Position, StreamLine
from common.domain.sessions import Person, SessionRules
from common.domain.windows import from_ms
from common.models import EnrichedEvent
from eventstream.lake import ddl
from eventstream.lake.pruning import Pruning
from eventstream.lake.sql import run
from eventstream.lake.statement import Query, parse
from fakes.lake_folder import LakeFolder, an_event
from fakes.sessions import MemorySessionStore
from functional.athena import shop
from process.sessions import Sessions

TODAY = date(2026, 11, 20)
_SQL = "SELECT * FROM sessions ORDER BY started_at, session_id"

Row = tuple[Any, ...]


@pytest.fixture
def lake(tmp_path: Path) -> LakeFolder:
    return LakeFolder(tmp_path)


def events(seed: int) -> list[EnrichedEvent]:
    """Make events of two days around a change of the month, a third of them of client sessions."""
    rng = random.Random(seed)
    start = datetime(2026, 10, 31, 2, tzinfo=UTC)
    made = []
    for number in range(400):
        name = f"p{rng.randrange(12)} \u00e9"
        who: list[dict[str, Any]] = [
            {"user_id": name},
            {"anonymous_id": name},
            {"user_id": name, "anonymous_id": "device"},
        ]
        at = start + timedelta(minutes=10 * rng.randrange(6 * 46), milliseconds=rng.choice((0, 1)))
        more = rng.choice(who) | {"session_id": f"s{rng.randrange(3)}" if number % 3 else None}
        made.append(an_event(f"e{number}", at, received_at=start + timedelta(days=2), **more))
    made.append(an_event("nobody", start))
    return made


def stored(lines: Sequence[StreamLine], lake: LakeFolder) -> dict[Person, Any]:
    """Process lines in batches, and keep the rows with the sessions that they are given."""
    store = MemorySessionStore()
    sessions = Sessions(store, SessionRules.of(30, 7))
    for begin in range(0, len(lines), 60):
        lake.write_lines(sessions.assign(lines[begin : begin + 60]))
    return store.timelines


def in_order_of_arrival(made: list[EnrichedEvent]) -> list[StreamLine]:
    return [
        StreamLine(Position("stream-1", "shard", f"{10**55 + number}"), 0, event, None, None)
        for number, event in enumerate(made)
    ]


def by_sql(lake: LakeFolder, sql: str = _SQL) -> list[Row]:
    with run(sql, lake, today=TODAY) as result:
        return [tuple(row) for row in result.rows]


def _row(person: Person, session_id: str, start: datetime, end: datetime, count: int) -> Row:
    is_user = person.kind == "user"
    source = "computed" if session_id.startswith(person.key) else "client"
    names = (person.name if is_user else None, None if is_user else person.name)
    naive = (each.replace(tzinfo=None) for each in (start, end))
    return (session_id, source, *names, *naive, count)


def by_sorting(made: list[EnrichedEvent]) -> list[Row]:
    rows = []
    for each in shop.sessions(made):
        person = Person("anonymous", str(each.anonymous_id))
        if each.user_id is not None:
            person = Person("user", each.user_id)
        start_ms = round(each.start.timestamp() * 1000)
        name = each.client_id or f"{person.key}-{start_ms}"
        rows.append(_row(person, name, each.start, each.end, each.events))
    return sorted(rows, key=str)


def by_table(timelines: dict[Person, Any]) -> list[Row]:
    rows = [
        _row(person, s.id_of(person), from_ms(s.start_ms), from_ms(s.end_ms), s.events)
        for person, timeline in timelines.items()
        for s in timeline.sessions
    ]
    return sorted(rows, key=str)


@pytest.mark.parametrize("seed", range(3))
def test_view_sorting_and_table_agree(seed: int, lake: LakeFolder) -> None:
    made = events(seed)
    random.Random(seed).shuffle(made)

    timelines = stored(in_order_of_arrival(made), lake)

    truth = by_sorting(made)
    assert sorted(by_sql(lake), key=str) == truth
    assert by_table(timelines) == truth
    assert {row[1] for row in truth} == {"client", "computed"}


def test_rows_hold_ids_that_later_events_have_changed_and_the_view_does_not_mind(
    lake: LakeFolder,
) -> None:
    made = events(7)

    stored(in_order_of_arrival(made), lake)

    provisional = by_sql(lake, "SELECT DISTINCT session_id FROM events WHERE session_id LIKE '%-%'")
    final = by_sql(lake, "SELECT session_id FROM sessions WHERE session_source = 'computed'")
    assert {row[0] for row in provisional} > {row[0] for row in final}


def test_an_event_that_was_sent_twice_is_one_of_its_session(lake: LakeFolder) -> None:
    event = an_event("e", datetime(2026, 11, 2, tzinfo=UTC), user_id="ada")
    lake.write([event])
    lake.write([event])

    assert [row[-1] for row in by_sql(lake)] == [1]


def test_rows_from_before_sessions_were_computed_are_their_clients(lake: LakeFolder) -> None:
    at = datetime(2026, 11, 2, tzinfo=UTC)
    lake.write([an_event(n, at, user_id="ada", session_id="s" if n == "a" else None) for n in "ab"])

    assert {row[1] for row in by_sql(lake)} == {"computed", "client"}


def test_the_view_reads_this_month_and_the_one_before(lake: LakeFolder) -> None:
    months = [(2025, 11), (2026, 9), (2026, 10), (2026, 11), (2026, 12)]
    lake.write(
        [
            an_event(f"{year}-{month}", datetime(year, month, 3, tzinfo=UTC), user_id="ada")
            for year, month in months
        ]
    )

    assert [row[4].month for row in by_sql(lake)] == [10, 11]
    assert len(lake.asked) == 2


@pytest.mark.parametrize(
    ("today", "months"),
    [
        (date(2026, 1, 1), [(2025, 12), (2026, 1)]),
        (date(2026, 3, 31), [(2026, 2), (2026, 3)]),
    ],
)
def test_the_month_before_is_found_on_any_day(today: date, months: list[tuple[int, int]]) -> None:
    statement = parse("SELECT * FROM sessions")
    assert isinstance(statement, Query)
    pruning = Pruning(statement.tree, today)

    needed = [
        (year, month)
        for year in (2025, 2026)
        for month in range(1, 13)
        if pruning.needs({"year": year, "month": month})
    ]

    assert needed == months


def test_the_view_has_the_columns_that_are_described(lake: LakeFolder) -> None:
    with run(_SQL, lake, today=TODAY) as result:
        assert result.columns == list(ddl.SESSION_COLUMNS)
        list(result.rows)
    with run("DESCRIBE sessions", lake) as described:
        assert [row[0] for row in described.rows] == list(ddl.SESSION_COLUMNS)


def test_sessions_may_be_joined_and_named_in_a_schema(lake: LakeFolder) -> None:
    lake.write([an_event("e", datetime(2026, 11, 2, tzinfo=UTC), "buy", user_id="ada")])

    sql = """
        SELECT e.event_type, s.events FROM eventstream.sessions AS s
        JOIN events AS e ON e.user_id = s.user_id AND e.year = 2026
    """
    assert by_sql(lake, sql) == [("buy", 1)]
