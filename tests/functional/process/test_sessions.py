"""Sessions beside the rest of the process function's work."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.parquet as pq
import pytest

from common.adapters.parquet import encode
from common.domain.sessions import Person, SessionRules
from common.domain.timelines import Timeline
from common.errors import StoreError
from common.ports.sessions import Change, Written
from fakes.hot import MemoryHotStore
from fakes.hours import MemoryHourMarks
from fakes.lake import MemoryLake
from fakes.process_builders import a_line, a_record, an_event, sequence_of
from fakes.sessions import MemorySessionStore
from process import sessions as module
from process.counters import HotCounters
from process.service import Deps, process
from process.sessions import Sessions

ADA = Person("user", "ada")
RULES = SessionRules.of(30, 7)


class Store(MemorySessionStore):
    fails = False
    reads = 0

    def read(self, people: Sequence[Person]) -> Mapping[Person, Timeline]:
        self.reads += len(people)
        return super().read(people)

    def write(self, changes: Sequence[Change]) -> Written:
        if self.fails:
            raise StoreError("dynamodb:TransactWriteItems failed: InternalServerError")
        return super().write(changes)


@pytest.fixture
def store() -> Store:
    return Store()


def deps(store: Store | None) -> Deps:
    return Deps(
        MemoryLake(),
        MemoryHourMarks(),
        HotCounters(MemoryHotStore(), max_types=200),
        Sessions(store, RULES) if store else None,
    )


def rows(world: Deps) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    lake: Any = world.lake
    for lines in lake.objects.values():
        found += pq.read_table(io.BytesIO(encode(lines))).to_pylist()
    return found


def test_rows_carry_the_clients_session_else_the_computed_one(store: Store) -> None:
    world = deps(store)
    events = [
        an_event(event_id="a", user_id="ada"),
        an_event(event_id="b", user_id="ada", session_id="s1"),
        an_event(event_id="c"),
    ]

    process([a_record(*events)], world)

    [session] = [s for s in store.timelines[ADA].sessions if s.client_id is None]
    assert [(row["session_id"], row["session_source"]) for row in rows(world)] == [
        (session.id_of(ADA), "computed"),
        ("s1", "client"),
        (None, None),
    ]


def test_without_sessions_rows_carry_the_clients_only() -> None:
    world = deps(None)

    process([a_record(an_event(user_id="ada"), an_event(user_id="ada", session_id="s"))], world)

    assert [(row["session_id"], row["session_source"]) for row in rows(world)] == [
        (None, None),
        ("s", "client"),
    ]


def test_lines_of_one_session_get_one_id_in_whatever_order(store: Store) -> None:
    minutes = (40, 0, 20)
    events = [
        an_event(user_id="ada", event_id=str(m), timestamp=f"2026-11-20T10:{m:02d}:00Z")
        for m in minutes
    ]

    world = deps(store)
    process([a_record(*events)], world)

    assert {row["session_id"] for row in rows(world)} == {f"{ADA.key}-1795168800000"}


def test_a_line_that_comes_again_is_the_same_line_in_another_session(store: Store) -> None:
    late = an_event(user_id="ada", event_id="late", timestamp="2026-11-20T09:50:00Z")
    sessions = Sessions(store, RULES)
    line, earlier = a_line(user_id="ada"), a_line(at=1, **late)

    [before] = sessions.assign([line])
    sessions.assign([earlier])
    [after] = sessions.assign([line])

    assert before == after
    assert before.session_id != after.session_id
    assert store.timelines[ADA].sessions[0].events == 2


def test_a_failing_store_gives_the_batch_back_before_anything_is_in_the_lake(
    store: Store,
) -> None:
    store.fails = True
    world = deps(store)

    outcome = process([a_record(an_event(user_id="ada"))], world)

    assert outcome.retry_from == sequence_of(0)
    assert rows(world) == []


def test_a_person_who_is_remembered_is_not_read(store: Store) -> None:
    sessions = Sessions(store, RULES)

    for at in range(3):
        sessions.assign([a_line(at=at, user_id="ada")])

    assert store.reads == 1
    assert store.timelines[ADA].sessions[0].events == 3


def test_memory_is_bounded_and_what_falls_out_is_read_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CACHED_PEOPLE", 2)
    sessions = Sessions(store, RULES)

    sessions.assign([a_line(user_id=f"u{number}") for number in range(3)])
    sessions.assign([a_line(at=1, user_id=f"u{number}") for number in range(3)])

    assert store.reads == 4
    assert {of.sessions[0].events for of in store.timelines.values()} == {2}


def test_memory_is_bounded_in_sessions_too_and_what_is_left_out_counts_for_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CACHED_PARTS", 12)
    sessions = Sessions(store, RULES)
    # Two people of five sessions and a mark each are as much as is remembered.
    people = ("ada", "bob", "cyd")
    lines = [a_line(at=at, user_id=user, session_id=f"s{at}") for user in people for at in range(5)]

    sessions.assign(lines)
    reads = []
    for at, users in enumerate((people, ("ada", "cyd"), ("bob",), ("ada", "cyd")), 6):
        store.reads = 0
        sessions.assign([a_line(at=at, user_id=user, session_id="s0") for user in users])
        reads.append(store.reads)

    assert reads == [1, 0, 1, 1]
    assert [len(of.sessions) for of in store.timelines.values()] == [5, 5, 5]


def test_a_batch_that_failed_leaves_no_weight_behind(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CACHED_PARTS", 4)
    sessions = Sessions(store, RULES)
    for at in range(9):
        store.fails = at % 2 == 1
        with contextlib.suppress(StoreError):
            sessions.assign([a_line(at=at, user_id="ada")])
    store.reads = 0

    sessions.assign([a_line(at=9, user_id="ada")])

    assert store.reads == 0


def test_a_batch_of_many_people_is_one_transaction(store: Store) -> None:
    lines = [a_line(at=at, user_id=f"u{at % 40}") for at in range(100)]

    Sessions(store, RULES).assign(lines)

    assert store.transactions == 1
    assert len(store.timelines) == 40


def test_the_people_of_a_batch_are_in_memory_a_few_hundred_at_a_time() -> None:
    class Watching(Store):
        most = 0

        def read(self, people: Sequence[Person]) -> Mapping[Person, Timeline]:
            self.most = max(self.most, len(people))
            return super().read(people)

    store = Watching()
    lines = [a_line(at=at // 900, user_id=f"u{at % 900}") for at in range(1_800)]

    named = Sessions(store, RULES).assign(lines)

    assert store.most == 200
    assert len(store.timelines) == 900
    assert len({line.session_id for line in named}) == 900
    assert [line.event.user_id for line in named] == [line.event.user_id for line in lines]


def test_a_stale_memory_costs_a_lost_write_and_no_event(store: Store) -> None:
    mine, other = Sessions(store, RULES), Sessions(store, RULES)
    mine.assign([a_line(user_id="ada"), a_line(user_id="bob")])
    other.assign([a_line(at=1, user_id="ada")])

    mine.assign([a_line(at=2, user_id="ada"), a_line(at=2, user_id="bob")])

    assert {p.name: of.sessions[0].events for p, of in store.timelines.items()} == {
        "ada": 3,
        "bob": 2,
    }


def test_records_without_anybody_make_no_call(store: Store) -> None:
    Sessions(store, RULES).assign([a_line()])

    assert (store.reads, store.transactions) == (0, 0)
