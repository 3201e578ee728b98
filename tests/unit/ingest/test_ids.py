from __future__ import annotations

import os
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InvalidRequestError
from ingest.ids import ENTROPY_BYTES, derived_ids, idempotency_key, time_ordered_ids


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


def test_the_same_request_gets_the_same_ids_and_another_gets_others() -> None:
    ids = derived_ids("public", "key-1", 3)

    assert ids == derived_ids("public", "key-1", 3)
    assert len(set(ids)) == 3
    assert set(ids).isdisjoint(derived_ids("public", "key-2", 3))
    assert set(ids).isdisjoint(derived_ids("other", "key-1", 3))


def test_a_request_without_the_header_has_no_key() -> None:
    assert idempotency_key({}) is None
    assert idempotency_key({"idempotency-key": "k"}) == "k"


@pytest.mark.parametrize("key", ["", "k" * 257, "a\tb"])
def test_refuses_a_key_that_cannot_name_a_request(key: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        idempotency_key({"idempotency-key": key})

    assert [e.field for e in caught.value.errors] == ["Idempotency-Key"]
