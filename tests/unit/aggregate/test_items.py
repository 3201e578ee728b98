"""Plain values survive DynamoDB's attribute values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.adapters.items import from_item, to_item

FRACTIONS = st.floats(-1e12, 1e12, allow_nan=False).map(lambda number: round(number, 3))
SCALARS = st.booleans() | st.integers(-(10**30), 10**30) | FRACTIONS | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(min_size=1), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(min_size=1), VALUES))
def test_what_is_stored_is_read_back_equal(values: dict[str, Any]) -> None:
    assert from_item(to_item(values)) == values


def test_instants_are_text_and_fractions_are_rounded() -> None:
    at = datetime(2026, 11, 20, 9, 15, 0, 123_456, tzinfo=UTC)

    assert to_item({"at": at, "latency": 1.23456, "none": None, "yes": True}) == {
        "at": {"S": "2026-11-20T09:15:00.123Z"},
        "latency": {"N": "1.235"},
        "yes": {"BOOL": True},
    }


def test_whole_numbers_come_back_as_such_however_dynamodb_spells_them() -> None:
    read = from_item({"a": {"N": "12"}, "b": {"N": "12.5"}, "c": {"N": "-3"}, "d": {"N": "1E+20"}})

    assert read == {"a": 12, "b": 12.5, "c": -3, "d": 1e20}
    assert [type(value) for value in read.values()] == [int, float, int, float]


def test_a_value_without_a_spelling_is_refused_by_its_type() -> None:
    with pytest.raises(TypeError, match="defined for a complex"):
        to_item({"z": 1j})
