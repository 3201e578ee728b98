from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.decode import StreamLine, decode_batch
from common.domain.sessions import (
    MARGIN_MS,
    MAX_IDENTITY,
    Person,
    RecordSightings,
    Session,
    SessionRules,
    Sighting,
    by_person,
    person_of,
    seen_in,
)
from common.domain.timelines import Timeline, applied, not_applied, session_at
from common.domain.windows import to_ms
from fakes.process_builders import a_line, an_event
from fakes.process_builders import a_record as of_the_stream

MINUTE_MS = 60_000
DAY_MS = 86_400_000
RULES = SessionRules.of(30, 7)
NOW_MS = 1_795_169_190_000
ADA = Person("user", "ada")


def seen(
    minute: float,
    client_id: str | None = None,
    *,
    arrived: float | None = None,
    counts: bool = True,
) -> Sighting:
    at_ms = NOW_MS + round(minute * MINUTE_MS)
    arrived_ms = at_ms if arrived is None else NOW_MS + round(arrived * MINUTE_MS)
    return Sighting(at_ms, arrived_ms, client_id, counts)


def a_record(number: int, *sightings: Sighting, shard: str = "s") -> RecordSightings:
    return RecordSightings(shard, f"{number:03d}", sightings)


def grouped(*lines: StreamLine) -> dict[Person, list[RecordSightings]]:
    return by_person(lines, [seen_in(line, RULES) for line in lines])


def spans(timeline: Timeline) -> list[tuple[float, float, int, str | None]]:
    return [
        ((s.start_ms - NOW_MS) / MINUTE_MS, (s.end_ms - NOW_MS) / MINUTE_MS, s.events, s.client_id)
        for s in timeline.sessions
    ]


def made_of(*sightings: Sighting, rules: SessionRules = RULES) -> Timeline:
    timeline: Timeline | None = None
    for number, each in enumerate(sightings):
        timeline = applied(timeline, [a_record(number, each)], rules)
    assert timeline is not None
    return timeline


@pytest.mark.parametrize(("pause_ms", "sessions"), [(30 * MINUTE_MS, 1), (30 * MINUTE_MS + 1, 2)])
def test_events_as_far_apart_as_the_gap_are_one_session_and_no_further(
    pause_ms: int, sessions: int
) -> None:
    after = Sighting(NOW_MS + pause_ms, NOW_MS + pause_ms, None, True)

    assert len(made_of(seen(0), after).sessions) == sessions
    assert len(made_of(after, seen(0)).sessions) == sessions


def test_an_event_between_two_sessions_makes_them_one() -> None:
    assert spans(made_of(seen(0), seen(60))) == [(0, 0, 1, None), (60, 60, 1, None)]
    assert spans(made_of(seen(0), seen(60), seen(30))) == [(0, 60, 3, None)]


def test_a_clients_session_is_one_whatever_lies_between_and_joins_no_other() -> None:
    timeline = made_of(seen(0, "a"), seen(600, "a"), seen(5), seen(300, "b"))

    assert spans(timeline) == [(0, 600, 2, "a"), (5, 5, 1, None), (300, 300, 1, "b")]


def test_a_replayed_line_is_in_the_span_and_not_in_the_number() -> None:
    assert spans(made_of(seen(0), seen(9, counts=False))) == [(0, 9, 1, None)]


def test_records_at_or_below_their_shards_mark_are_left_out() -> None:
    records = [a_record(1, seen(0)), a_record(2, seen(1)), a_record(1, seen(2), shard="t")]
    timeline = applied(None, records, RULES)

    again = [*records, a_record(3, seen(3)), a_record(2, seen(4), shard="t")]

    assert not_applied(again, timeline) == again[3:]
    assert not_applied(records, None) == records


def test_what_a_timeline_holds_does_not_depend_on_batches() -> None:
    rules = SessionRules(30 * MINUTE_MS, 7 * DAY_MS, max_sessions=3)
    records = [a_record(n, seen(n * 40), seen(n * 40 + 10, f"c{n % 2}")) for n in range(9)]
    whole = applied(None, records, rules)

    for cut in range(1, 9):
        assert applied(applied(None, records[:cut], rules), records[cut:], rules) == whole


def test_of_too_many_sessions_the_last_are_kept_and_the_others_counted() -> None:
    rules = SessionRules(30 * MINUTE_MS, 7 * DAY_MS, max_sessions=2)

    timeline = made_of(seen(0), seen(100), seen(50, "c"), seen(200), rules=rules)

    assert [start for start, *_ in spans(timeline)] == [100, 200]
    assert timeline.overflow == 2


def test_a_session_goes_when_no_event_on_its_way_can_join_it() -> None:
    keep_min = (7 * DAY_MS + 30 * MINUTE_MS + MARGIN_MS) / MINUTE_MS

    kept = made_of(seen(0), seen(keep_min))
    dropped = made_of(seen(0), seen(keep_min + 0.001))

    assert len(kept.sessions) == 2
    assert spans(dropped) == [(keep_min + 0.001, keep_min + 0.001, 1, None)]
    assert dropped.overflow == 0


def test_a_mark_goes_when_its_records_cannot_come_again() -> None:
    old = a_record(1, seen(0), shard="closed")
    new = a_record(2, seen(10 * 24 * 60))

    timeline = applied(applied(None, [old], RULES), [new], RULES)

    assert set(timeline.marks) == {"s"}
    assert timeline.newest_ms == NOW_MS + 10 * DAY_MS


def test_late_records_move_no_time_back() -> None:
    timeline = made_of(seen(0, arrived=60), seen(-10, arrived=30))

    assert timeline.newest_ms == NOW_MS + 60 * MINUTE_MS
    assert timeline.marks["s"].arrived_ms == timeline.newest_ms
    assert timeline.last_ms == NOW_MS


def test_each_write_has_a_version_of_its_own_also_after_the_item_expired() -> None:
    first = applied(None, [a_record(1, seen(0))], RULES)
    second = applied(first, [a_record(2, seen(1))], RULES)
    after_it_expired = applied(None, [a_record(3, seen(10 * 24 * 60))], RULES)

    assert len({first.version, second.version, after_it_expired.version}) == 3


@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from((None, None, "a", "b"))), min_size=1),
    st.integers(-5, 65),
)
def test_the_session_of_an_instant_is_the_one_that_spans_it(
    events: list[tuple[int, str | None]], minute: int
) -> None:
    rules = SessionRules(2 * MINUTE_MS, 7 * DAY_MS)
    timeline = made_of(*(seen(at, client_id) for at, client_id in events), rules=rules)
    at_ms = NOW_MS + minute * MINUTE_MS

    spanning = [
        s for s in timeline.sessions if s.client_id is None and s.start_ms <= at_ms <= s.end_ms
    ]

    assert session_at(timeline, at_ms) == (spanning[0] if spanning else None)


def test_an_instant_is_in_the_computed_session_around_it() -> None:
    timeline = made_of(seen(0), seen(10), seen(5, "c"), seen(90))

    assert session_at(timeline, NOW_MS + 5 * MINUTE_MS) == Session(
        NOW_MS, NOW_MS + 10 * MINUTE_MS, 2
    )
    assert session_at(timeline, NOW_MS + 50 * MINUTE_MS) is None


@pytest.mark.parametrize(
    ("who", "person"),
    [
        ({"user_id": "ada", "anonymous_id": "x"}, ADA),
        ({"anonymous_id": "ada"}, Person("anonymous", "ada")),
        ({"user_id": "", "anonymous_id": "ada"}, Person("anonymous", "ada")),
        ({}, None),
        ({"user_id": "u" * MAX_IDENTITY}, Person("user", "u" * MAX_IDENTITY)),
        ({"user_id": "u" * (MAX_IDENTITY + 1), "anonymous_id": "x"}, None),
        ({"anonymous_id": "u" * (MAX_IDENTITY + 1)}, None),
    ],
)
def test_an_event_is_its_users_else_its_anonymous_persons(
    who: dict[str, Any], person: Person | None
) -> None:
    assert person_of(a_line(**who).event) == person


def test_a_session_id_that_is_too_long_names_no_session() -> None:
    [[record]] = grouped(a_line(user_id="ada", session_id="s" * (MAX_IDENTITY + 1))).values()

    assert record.sightings[0].client_id is None


@pytest.mark.parametrize(("early_ms", "takes_part"), [(0, True), (1, False)])
def test_an_event_that_was_too_old_when_it_came_has_no_part(
    early_ms: int, takes_part: bool
) -> None:
    received = datetime(2026, 11, 20, 10, tzinfo=UTC)
    happened = received - timedelta(days=7, milliseconds=early_ms)
    line = a_line(user_id="ada", timestamp=happened.isoformat(), received_at=received.isoformat())

    assert bool(grouped(line)) == takes_part


@pytest.mark.parametrize("days", [-12, 12, 5 * 365])
def test_marks_and_sessions_go_by_when_records_arrived_whatever_they_say_of_it(days: int) -> None:
    says = (datetime(2026, 11, 20, 10, 6, tzinfo=UTC) + timedelta(days=days)).isoformat()
    first = a_line(user_id="ada")
    other = a_line(
        at=1, user_id="ada", timestamp=max(says, "2026-11-20T10:00:00Z"), received_at=says
    )
    [[record]], [[told]] = grouped(first).values(), grouped(other).values()
    told = RecordSightings("other shard", told.mark, told.sightings)

    timeline = applied(applied(None, [record], RULES), [told], RULES)

    assert not_applied([record, told], timeline) == []
    assert sum(session.events for session in timeline.sessions) == 2
    assert first.arrived_at is not None
    assert timeline.newest_ms == to_ms(first.arrived_at)


def test_without_an_arrival_the_receipt_is_taken_for_it() -> None:
    given = of_the_stream(an_event(user_id="ada"))
    del given["kinesis"]["approximateArrivalTimestamp"]
    lines = decode_batch([given]).lines

    [[record]] = grouped(*lines).values()

    assert record.sightings[0].arrived_ms == to_ms(lines[0].event.received_at)


class CountedMs(int):
    """An instant that counts how often it is compared."""

    compared = 0

    def __lt__(self, other: int) -> bool:
        CountedMs.compared += 1
        return int(self) < int(other)

    def __gt__(self, other: int) -> bool:
        CountedMs.compared += 1
        return int(self) > int(other)

    def __le__(self, other: int) -> bool:
        CountedMs.compared += 1
        return int(self) <= int(other)

    def __ge__(self, other: int) -> bool:
        CountedMs.compared += 1
        return int(self) >= int(other)

    def __eq__(self, other: object) -> bool:
        CountedMs.compared += 1
        return int(self) == other

    __hash__ = int.__hash__


@pytest.mark.parametrize("order", [1, -1])
def test_a_record_of_many_sessions_costs_a_search_an_event_in_whatever_order(order: int) -> None:
    rules = SessionRules(MINUTE_MS, 90 * DAY_MS, max_sessions=5_000)
    sightings = [
        Sighting(CountedMs(NOW_MS + n * 2 * MINUTE_MS), NOW_MS, None, True) for n in range(2_000)
    ][::order]
    CountedMs.compared = 0

    timeline = applied(None, [a_record(1, *sightings)], rules)

    assert len(timeline.sessions) == 2_000
    assert CountedMs.compared < 2_000 * 40


def test_records_of_a_batch_come_in_the_order_of_their_numbers() -> None:
    lines = [a_line(at=at, user_id="ada") for at in (1, 0, 2)]

    [records] = grouped(*lines).values()

    assert [record.mark for record in records] == sorted(record.mark for record in records)
