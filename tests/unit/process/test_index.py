from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.bad_lines import BadLine, Position
from common.domain.decode import StreamBatch, decode_batch
from common.domain.event_index import (
    EventKey,
    IndexEntry,
    IndexRules,
    event_key,
    object_names,
    place_of,
)
from common.domain.packing import MAX_PACKED_BYTES, packed, unpacked
from common.domain.rejections import MAX_REJECTIONS, rejections
from common.errors import ConditionLostError
from common.ports.event_index import EventIndexStore, IndexChange, IndexWritten
from fakes.event_index import MemoryEventIndex, a_rejected_entry
from process.index import EventIndex
from process.service import lake_objects, lines_by_hour

RULES = IndexRules.of(14)
DAY_S = 86_400
ARRIVED_S = 1_795_169_220


def a_line(event_id: str = "e-1", came: str = "10:07", **more: Any) -> bytes:
    at = f"2026-11-20T{came}:00.000Z"
    body = {"event_id": event_id, "event_type": "click", "timestamp": at, "received_at": at}
    body |= {"ingested_at": at, "timestamp_source": "received", "schema_version": 1}
    return json.dumps(body | more).encode()


def rejected(event_id: object = "e-1", source: object = "public", **more: Any) -> bytes:
    why = {"rule": "missing", "field": "type", "message": "m", "event_id": event_id}
    why |= {"source": source, "received_at": "2026-11-20T10:00:00.000Z"}
    return json.dumps({"rejected": why | more, "raw": '{"a":1}'}, separators=(",", ":")).encode()


def batch(*lines: bytes, sequence: int = 100, days: float | None = 0) -> StreamBatch:
    record: dict[str, Any] = {
        "eventSourceARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/events",
        "eventID": f"shardId-000000000000:{sequence}",
        "kinesis": {
            "sequenceNumber": str(sequence),
            **({} if days is None else {"approximateArrivalTimestamp": ARRIVED_S + days * DAY_S}),
            "data": base64.b64encode(b"\n".join(lines)).decode(),
        },
    }
    return decode_batch([record])


@pytest.fixture
def store() -> MemoryEventIndex:
    return MemoryEventIndex()


def kept(store: EventIndexStore, given: StreamBatch) -> list[int]:
    """Return the numbers of the lines that an environment that remembers nothing goes on with."""
    return [line.line for line in EventIndex(store, RULES).admit(given.lines, given.bad)]


def entry(store: MemoryEventIndex, event_id: str = "e-1", source: str = "public") -> IndexEntry:
    return store.entries[EventKey(source, event_id)]


def test_an_event_that_is_sent_again_is_left_out_and_its_own_redelivery_is_not(
    store: MemoryEventIndex,
) -> None:
    first, second = batch(a_line()), batch(a_line(came="12:30"), sequence=200)

    assert kept(store, first) == [0]
    assert kept(store, second) == []
    assert kept(store, first) == [0]
    assert kept(store, second) == []


def test_of_two_copies_in_a_batch_the_first_is_kept(store: MemoryEventIndex) -> None:
    given = batch(a_line(), a_line("e-2"), a_line(came="11:00"))

    assert kept(store, given) == [0, 1]
    assert kept(store, given) == [0, 1]


def test_ids_are_unique_to_their_source(store: MemoryEventIndex) -> None:
    assert kept(store, batch(a_line(), a_line(source="web"))) == [0, 1]


def test_a_replayed_line_goes_on_when_its_own_send_was_given_up(store: MemoryEventIndex) -> None:
    kept(store, batch(a_line()))

    again = batch(a_line(replayed=True), sequence=300)

    assert kept(store, again) == [0]
    assert kept(store, again) == [0]
    assert entry(store).at == "events/shardId-000000000000/100/0"
    assert entry(store).again is not None
    assert entry(store).again.at == "events/shardId-000000000000/300/0"  # type: ignore[union-attr]


def test_a_replayed_line_is_left_out_when_another_send_came_meanwhile(
    store: MemoryEventIndex,
) -> None:
    kept(store, batch(a_line(came="12:30"), sequence=200))

    assert kept(store, batch(a_line(came="10:07", replayed=True), sequence=300)) == []


def test_a_replayed_line_of_another_hour_is_left_out_though_it_came_in_the_same_request(
    store: MemoryEventIndex,
) -> None:
    kept(store, batch(a_line()))

    other = a_line(timestamp="2026-11-20T08:07:00.000Z", replayed=True)

    assert kept(store, batch(other, sequence=300)) == []


def test_a_replayed_line_of_an_unknown_event_owns_it(store: MemoryEventIndex) -> None:
    assert kept(store, batch(a_line(replayed=True))) == [0]
    assert kept(store, batch(a_line(came="12:30"), sequence=200)) == []


def test_a_rejected_message_is_found_and_gives_way_to_an_event(store: MemoryEventIndex) -> None:
    assert kept(store, batch(b"", rejected())) == []
    found = entry(store)
    assert (found.state, found.reason, found.field) == ("quarantined", "missing", "type")
    assert found.object_key == "quarantine/events/shardId-000000000000/100-1.json"

    assert kept(store, batch(a_line(), sequence=200)) == [0]
    assert entry(store).state == "stored"
    assert kept(store, batch(rejected(), sequence=300)) == []
    assert entry(store).state == "stored"


def test_a_rejection_takes_the_place_of_nothing(store: MemoryEventIndex) -> None:
    kept(store, batch(rejected(), a_line("e-2")))
    before = dict(store.entries)

    kept(store, batch(rejected(), rejected("e-2"), sequence=300, days=15))

    assert store.entries == before


def test_an_event_beside_its_own_rejection_is_stored(store: MemoryEventIndex) -> None:
    assert kept(store, batch(rejected(), a_line())) == [1]
    assert entry(store).state == "stored"


def test_rejected_lines_of_a_record_that_is_kept_whole_are_found(store: MemoryEventIndex) -> None:
    given = batch(*(rejected(f"e-{number}") for number in range(120)))

    kept(store, given)

    assert len(store.entries) == 120
    assert entry(store, "e-7").at.endswith("/100/7")
    assert {each.object_key for each in store.entries.values()} == {
        "quarantine/events/shardId-000000000000/100-0.json"
    }


def test_of_a_record_of_nothing_but_rejections_the_first_are_found(store: MemoryEventIndex) -> None:
    given = batch(
        *(b"nonsense" for _ in range(50)), *(rejected(f"e-{n}") for n in range(3_000)), a_line()
    )

    assert kept(store, given) == [3_050]
    assert store.transactions == MAX_REJECTIONS / 100
    assert kept(store, given) == [3_050]
    assert len(store.entries) == MAX_REJECTIONS
    assert entry(store).state == "stored"
    assert EventKey("public", f"e-{MAX_REJECTIONS - 1}") in store.entries


@pytest.mark.parametrize("days", [0.5, 13.99])
def test_within_the_window_an_event_is_known_again(store: MemoryEventIndex, days: float) -> None:
    kept(store, batch(a_line()))

    assert kept(store, batch(a_line(), sequence=200, days=days)) == []


def test_after_the_window_an_event_is_another_one_each_time_it_comes(
    store: MemoryEventIndex,
) -> None:
    kept(store, batch(a_line()))
    late = batch(a_line(came="12:00"), sequence=200, days=14.01)

    assert kept(store, late) == [0]
    assert kept(store, late) == [0]
    assert kept(store, batch(a_line(), sequence=300, days=20)) == []


def test_a_line_without_an_arrival_goes_by_its_receipt(store: MemoryEventIndex) -> None:
    assert kept(store, batch(a_line(), days=None)) == [0]
    assert entry(store).arrived_ms == entry(store).received_ms


@pytest.mark.parametrize("source", ["", "k" * 1025, "a\nb", "\ud800"])
def test_what_no_key_can_name_goes_on_without_an_entry(
    store: MemoryEventIndex, source: str
) -> None:
    [line] = batch(a_line()).lines
    event = SimpleNamespace(source=source, event_id="e-1", timestamp=line.event.timestamp)
    strange: Any = SimpleNamespace(event=event, position=line.position, line=0)

    assert EventIndex(store, RULES).admit([strange], ()) == (strange,)
    assert store.entries == {}


@pytest.mark.parametrize(
    "raw",
    [
        rejected(event_id=None),
        rejected(event_id=7),
        rejected(event_id="x" * 129),
        rejected(event_id="\ud800"),
        rejected(source="\ud800"),
        b'{"rejected":[]}',
        b'{"rejected":{',
        b'{"rejected":' + b"[" * 100_000,
    ],
)
def test_a_rejection_without_a_usable_id_has_no_entry(raw: bytes) -> None:
    bad = BadLine(Position("events", "s", "1"), 0, "missing", None, None, raw)

    assert list(rejections(bad)) == []


@pytest.mark.parametrize(
    ("surface", "message", "found"),
    [
        ("segment", '{"messageId":"m-1"}', ["m-1"]),
        ("amplitude", '{"insert_id":"m-1"}', ["m-1"]),
        ("segment", '{"insert_id":"m-1"}', []),
        ("cloudevents", '{"id":"m-1"}', []),
        ("segment", '{"messageId":"m-1"', []),
        ("segment", "[" * 100_000, []),
        ("segment", "[]", []),
        ("segment", None, []),
        (7, '{"messageId":"m-1"}', []),
    ],
)
def test_a_message_that_could_not_be_read_has_the_id_that_its_library_gave_it(
    surface: object, message: object, found: list[str]
) -> None:
    line = json.dumps({"rejected": {"source": "public", "surface": surface}, "raw": message})
    raw = line.replace(": ", ":", 1).encode()
    bad = BadLine(Position("events", "s", "1"), 0, "missing", None, None, raw)

    assert [each.key.event_id for each in rejections(bad)] == found


def test_what_a_rejection_says_is_cut_and_made_text() -> None:
    bad = BadLine(Position("events", "s", "1"), 0, "x" * 99, "f\ud800" * 200, None, rejected())

    [found] = rejections(bad)

    assert (found.reason, found.arrived_ms) == ("x" * 64, found.received_ms)
    assert found.field == "f?" * 128


def test_an_entry_names_the_object_that_its_line_is_written_to(store: MemoryEventIndex) -> None:
    kept(store, batch(a_line("edge", came="11:00"), sequence=50))
    batches = [batch(a_line(), sequence=100), batch(a_line("edge", came="10:59"), sequence=101)]
    lines = [line for each in batches for line in each.lines]

    admitted = EventIndex(store, RULES).admit(lines, ())

    [one] = lake_objects(lines_by_hour(admitted))
    assert entry(store).object_key == one.key
    assert one.key.endswith("-100-100.parquet")


@given(st.lists(st.tuples(st.integers(8, 12), st.integers(0, 3)), min_size=1, max_size=12))
def test_the_names_of_objects_are_those_that_are_written(places: list[tuple[int, int]]) -> None:
    lines = [
        line
        for sequence, (hour, _) in enumerate(places)
        for line in batch(a_line(f"e-{sequence}", f"{hour:02d}:00"), sequence=sequence + 1).lines
    ]

    names = object_names(lines)

    assert {
        (one.key, line.position.sequence)
        for one in lake_objects(lines_by_hour(lines))
        for line in one.lines
    } == {(name, line.position.sequence) for name, line in zip(names, lines, strict=True)}


def test_ordinary_batches_take_one_transaction_and_redeliveries_too(
    store: MemoryEventIndex,
) -> None:
    given = batch(*(a_line(f"e-{number}") for number in range(100)))

    kept(store, given)
    assert store.transactions == 1
    kept(store, given)
    assert store.transactions == 2


class OneAtATime(MemoryEventIndex):
    """Tells one lost condition a call, as a table that is throttled for the others does."""

    def write(self, changes: Sequence[IndexChange]) -> IndexWritten:
        written = super().write(changes)
        lost = dict(list(written.lost.items())[:1])
        return IndexWritten(written.done, lost)


def test_a_batch_settles_as_long_as_each_write_settles_an_event() -> None:
    store = OneAtATime()
    given = batch(*(a_line(f"e-{number}") for number in range(50)))
    kept(store, given)

    assert kept(store, given) == list(range(50))


class NeverDone(EventIndexStore):
    def write(self, changes: Any) -> IndexWritten:
        return IndexWritten(frozenset(), {changes[0].entry.key: a_rejected_entry("e-1")})


def test_an_index_that_never_settles_gives_the_batch_back() -> None:
    with pytest.raises(ConditionLostError):
        kept(NeverDone(), batch(a_line()))


@given(st.binary())
def test_what_is_packed_is_unpacked(line: bytes) -> None:
    short = packed(line)

    assert short is not None
    assert unpacked(short) == line.strip()


def test_an_ordinary_line_shrinks_to_a_third_and_a_huge_one_is_left_out() -> None:
    import random

    line = a_line(properties={"plan": "pro", "seats": 7}, user_id="user-17", source="public")

    assert len(packed(line) or b"") * 3 < len(line)
    assert packed(random.Random(1).randbytes(MAX_PACKED_BYTES + 1_000)) is None


def test_an_address_is_read_as_it_was_written() -> None:
    assert place_of("a.b-c_d/shardId-000000000000/42/3") == (
        Position("a.b-c_d", "shardId-000000000000", "42"),
        3,
    )


def test_keys_are_text() -> None:
    assert event_key("public", "e") == EventKey("public", "e")
    assert event_key(None, "e") is None
    assert event_key("public", "") is None
