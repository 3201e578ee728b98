from __future__ import annotations

import uuid
from collections import Counter
from typing import Any, cast

import pytest

from common.domain.partitions import MAX_PACK_BYTES, bucket_of, explicit_hash_key
from common.models import EnrichedEvent
from fakes.ingest_builders import NOON, a_request, a_world
from fakes.stream import Fault, MemorySink
from ingest import judging, validation
from ingest.judging import MAX_EVENT_BYTES
from ingest.service import ingest


def test_an_event_goes_onto_the_stream_enriched() -> None:
    sink = MemorySink()

    made = ingest(a_request({"event_type": "click", "user_id": "u1"}), a_world(sink))

    [record] = sink.stored
    event = EnrichedEvent.model_validate_json(record.data)
    bucket = bucket_of("u1", 8)
    assert cast("dict[str, Any]", made.response.body)["event_id"] == event.event_id
    assert uuid.UUID(event.event_id).version == 7
    assert (event.event_type, event.user_id, event.source) == ("click", "u1", "public")
    assert event.timestamp == event.received_at == NOON
    assert event.ingested_at.microsecond == 7000
    assert (record.partition_key, record.explicit_hash_key) == (
        str(bucket),
        explicit_hash_key(bucket, 8),
    )


def test_the_events_of_a_user_are_packed_together_in_order() -> None:
    sink = MemorySink()
    events = [{"event_type": "x", "user_id": f"u{n % 3}", "event_id": str(n)} for n in range(300)]

    ingest(a_request(events), a_world(sink))

    assert len(sink.stored) <= 8
    assert all(len(record.data) <= MAX_PACK_BYTES for record in sink.stored)
    for user in range(3):
        ids = [int(e["event_id"]) for e in sink.events() if e["user_id"] == f"u{user}"]
        assert ids == sorted(ids)
        assert len(ids) == 100


@pytest.mark.parametrize(
    ("event", "identity"),
    [
        ({"user_id": "u", "anonymous_id": "a", "event_id": "e"}, "u"),
        ({"anonymous_id": "a", "event_id": "e"}, "a"),
        ({"event_id": "e"}, "e"),
    ],
)
def test_the_bucket_is_of_the_user_else_the_visitor_else_the_event(
    event: dict[str, str], identity: str
) -> None:
    sink = MemorySink()

    ingest(a_request({"event_type": "x"} | event), a_world(sink))

    assert [record.partition_key for record in sink.stored] == [str(bucket_of(identity, 8))]


def test_nothing_is_put_before_everything_was_checked() -> None:
    class Watching(MemorySink):
        def put(self, records: Any) -> Any:
            seen.append(len(checked))
            return super().put(records)

    seen: list[int] = []
    checked: list[object] = []
    real = validation.validate

    def counting(raw: object, event_type: str | None) -> Any:
        checked.append(raw)
        return real(raw, event_type)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "validate", counting)
        ingest(a_request([{"event_type": "x"}] * 9), a_world(Watching()))

    assert seen == [9]


def test_an_idempotency_key_gives_a_repeated_request_the_same_ids() -> None:
    sink = MemorySink()
    headers = {"idempotency-key": "k-1"}
    events = [{"event_type": "x"}, {"event_type": "y", "event_id": "mine"}]

    ingest(a_request(events, headers=headers), a_world(sink))
    ingest(a_request(events, headers=headers), a_world(sink))

    ids = Counter(event["event_id"] for event in sink.events())
    assert sorted(ids.values()) == [2, 2]
    assert ids["mine"] == 2


def test_what_was_to_be_sent_again_under_a_key_does_not_take_the_id_of_what_was_accepted() -> None:
    events = [{"event_type": "x", "user_id": f"u{n}"} for n in range(20)]
    sink = MemorySink([Fault(entries={0: "throttled"})] * 3)
    deps, headers = a_world(sink), {"idempotency-key": "k-1"}

    made = ingest(a_request(events, headers=headers), deps)
    rows = cast("dict[str, Any]", made.response.body)["results"]
    again = [events[row["index"]] for row in rows if row["status"] == "retry"]
    ingest(a_request(again, headers=headers), deps)

    assert made.accepted
    assert made.retry
    assert {event["event_id"] for event in sink.events()} == {row["event_id"] for row in rows}
    assert len(sink.events()) == len(events)


def test_two_clients_that_chose_the_same_key_lose_nothing() -> None:
    sink = MemorySink()
    deps, headers = a_world(sink), {"idempotency-key": "1"}

    for user in ("alice", "bob"):
        ingest(a_request({"event_type": "buy", "user_id": user}, headers=headers), deps)

    assert len({event["event_id"] for event in sink.events()}) == 2


def test_without_a_key_a_repeated_request_is_two_requests() -> None:
    sink = MemorySink()
    deps = a_world(sink)

    ingest(a_request([{"event_type": "x"}] * 2), deps)
    ingest(a_request([{"event_type": "x"}] * 2), deps)

    assert len({event["event_id"] for event in sink.events()}) == 4


def test_an_event_over_its_size_is_refused_and_its_neighbours_are_not() -> None:
    big = {"event_type": "x", "properties": {str(n): "x" * 8000 for n in range(33)}}
    sink = MemorySink()

    made = ingest(a_request([big, {"event_type": "y"}]), a_world(sink))
    alone = ingest(a_request(big), a_world(sink))

    rows = cast("dict[str, Any]", made.response.body)["results"]
    assert made.response.status == 207
    assert rows[0]["error"]["rule"] == "event_too_large"
    assert str(MAX_EVENT_BYTES) in rows[0]["error"]["message"]
    assert alone.response.status == 413


def test_the_largest_event_goes_alone_and_still_fits_a_record() -> None:
    wide = {
        "event_type": "x",
        "user_id": "u",
        "properties": {str(n): "x" * 8000 for n in range(32)},
    }
    sink = MemorySink()

    made = ingest(a_request([wide, {"event_type": "y", "user_id": "u"}]), a_world(sink))

    assert made.response.status == 200
    assert len(sink.stored) == 2


def test_a_failed_record_takes_all_its_events_with_it_and_no_other() -> None:
    events = [{"event_type": "x", "user_id": f"u{n}", "event_id": str(n)} for n in range(20)]
    sink = MemorySink([Fault(entries={0: "throttled"})] * 3)

    made = ingest(a_request(events), a_world(sink))

    body = cast("dict[str, Any]", made.response.body)
    stored = {event["event_id"] for event in sink.events()}
    assert made.response.status == 207
    assert {r["event_id"] for r in body["results"] if r["status"] == "accepted"} == stored
    assert 0 < made.retry == 20 - len(stored)


def test_a_family_with_a_stream_of_its_own_goes_there_and_rejects_to_the_default_one() -> None:
    sink = MemorySink()
    messages = [
        {"type": "track", "event": "order_paid", "messageId": "1", "userId": "u"},
        {"type": "track", "event": "order_sent", "messageId": "2", "userId": "u"},
        {"type": "track", "event": "orders", "messageId": "3", "userId": "u"},
        {"type": "track", "messageId": "4", "userId": "u"},
    ]

    made = ingest(
        a_request({"batch": messages}, "/v1/batch"), a_world(sink, routes="order=orders-1")
    )

    found = [(record.stream, record.data.count(b"\n") + 1) for record in sink.stored]
    assert made.response.status == 200
    assert sorted(found, key=str) == [("orders-1", 2), (None, 1), (None, 1)]
    assert {e["event_id"] for e in sink.events() if "event_id" in e} == {"1", "2", "3"}
