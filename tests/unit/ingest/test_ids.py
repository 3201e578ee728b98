from __future__ import annotations

import os
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InvalidRequestError
from common.models import IngestEvent
from ingest.ids import ENTROPY_BYTES, KeyedIds, idempotency_key, time_ordered_ids
from ingest.validation import validate


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_an_id_is_a_uuid_of_version_7_that_begins_with_its_time(at_ms: int, bits: bytes) -> None:
    [text] = time_ordered_ids(at_ms, bits)
    parsed = uuid.UUID(text)

    assert str(parsed) == text
    assert parsed.version == 7
    assert parsed.variant == uuid.RFC_4122
    assert parsed.int >> 80 == at_ms


@given(st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_ids_of_one_instant_differ_in_74_bits(one: bytes, other: bytes) -> None:
    low = 2**74 - 1
    same = int.from_bytes(one, "big") & low == int.from_bytes(other, "big") & low

    assert (time_ordered_ids(1, one) == time_ordered_ids(1, other)) is same


def test_a_batch_of_ids_takes_its_entropy_at_once() -> None:
    ids = time_ordered_ids(1_771_596_000_000, os.urandom(5000 * ENTROPY_BYTES))

    assert len(set(ids)) == 5000


def test_later_ids_sort_after_earlier_ones() -> None:
    assert time_ordered_ids(1, b"\xff" * 10) < time_ordered_ids(2, b"\x00" * 10)


CART = [
    {"event_type": "view", "user_id": "u1"},
    {"event_type": "add", "user_id": "u1", "properties": {"sku": "a", "n": 1}},
    {"event_type": "add", "user_id": "u1", "properties": {"sku": "b", "n": 1}},
]


def ids_of(events: list[dict[str, Any]], key: str = "key-1", source: str = "public") -> list[str]:
    keyed = KeyedIds(source, key)
    return [keyed.of(IngestEvent.model_validate(event)) for event in events]


def test_the_same_request_gets_the_same_ids_and_another_gets_others() -> None:
    ids = ids_of(CART)

    assert ids == ids_of(CART)
    assert len(set(ids)) == 3
    assert set(ids).isdisjoint(ids_of(CART, key="key-2"))
    assert set(ids).isdisjoint(ids_of(CART, source="other"))


@given(st.permutations(CART), st.integers(0, 3))
def test_a_part_of_a_request_keeps_its_ids_in_any_order(
    events: list[dict[str, Any]], size: int
) -> None:
    ids = dict(zip(map(str, CART), ids_of(CART), strict=True))

    assert ids_of(events[:size]) == [ids[str(event)] for event in events[:size]]


@pytest.mark.parametrize(
    "change",
    [
        {"event_type": "add2"},
        {"user_id": None},
        {"anonymous_id": "u1"},
        {"session_id": "s"},
        {"timestamp": "2026-02-20T12:00:00.001Z"},
        {"sent_at": "2026-02-20T12:00:00Z"},
        {"latency_ms": 1},
        {"is_error": False},
        {"properties": {"sku": "a", "n": 2}},
        {"properties": {"sku": "a", "n": 1, "m": None}},
        {"context": {}},
    ],
    ids=str,
)
def test_an_event_that_differs_in_anything_has_another_id(change: dict[str, Any]) -> None:
    event = CART[1] | {"timestamp": "2026-02-20T12:00:00Z"}

    assert ids_of([event]) != ids_of([event | change])


def test_spelling_and_order_of_the_fields_do_not_change_an_id() -> None:
    one = {"event_type": "x", "user_id": "u", "timestamp": 1771588800000, "properties": {"a": 1}}
    same = {
        "metadata": {"a": 1},
        "timestamp": "2026-02-20T13:00:00+01:00",
        "userId": "u",
        "session_id": None,
        "action": "x",
    }

    assert ids_of([one]) == ids_of([same])


def test_equal_events_of_one_request_are_told_apart_by_their_number() -> None:
    two, one = ids_of([CART[0], CART[1], CART[0]]), ids_of([CART[0]])

    assert len(set(two)) == 3
    assert one == [two[0]]
    assert ids_of([CART[0], CART[0]]) == [two[0], two[2]]


def test_a_request_without_the_header_has_no_key() -> None:
    assert idempotency_key({}) is None
    assert idempotency_key({"idempotency-key": "k"}) == "k"


@pytest.mark.parametrize("key", ["", "k" * 257, "a\tb"])
def test_refuses_a_key_that_cannot_name_a_request(key: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        idempotency_key({"idempotency-key": key})

    assert [e.field for e in caught.value.errors] == ["Idempotency-Key"]


def test_a_release_does_not_change_the_ids_of_requests_that_are_sent_again() -> None:
    event = validate(
        {
            "event_type": "purchase",
            "timestamp": "2026-02-20T14:30:00.123Z",
            "sent_at": 1771588740000,
            "latency_ms": 5,
            "properties": {"total": 1, "\u00fc": [1.5, None, {"b": 1, "a": "x\n"}]},
            "context": None,
        }
    )
    assert isinstance(event, IngestEvent)

    assert KeyedIds("public", "order-42").of(event) == "41144bfd-36b1-507a-bca0-54ee7acc6dae"
