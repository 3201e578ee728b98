from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain import keys

AT = datetime(2026, 2, 20, 14, 37, 5, tzinfo=UTC)


@given(st.integers(min_value=0, max_value=10**56), st.integers(min_value=0, max_value=10**56))
def test_sequence_marks_order_as_the_numbers_do(a: int, b: int) -> None:
    assert (keys.sequence_mark(str(a)) < keys.sequence_mark(str(b))) is (a < b)
    assert (keys.sequence_mark(str(a)) == keys.sequence_mark(str(b))) is (a == b)


def test_plain_text_would_order_sequence_numbers_wrongly() -> None:
    assert sorted(["100", "99"]) == ["100", "99"], "the reason for marks"


@pytest.mark.parametrize("bad", ["", "-1", "1.5", "12a", "٣"])
def test_a_mark_takes_decimal_digits_only(bad: str) -> None:
    with pytest.raises(ValueError, match="decimal"):
        keys.sequence_mark(bad)


def test_leading_zeros_do_not_change_a_mark() -> None:
    assert keys.sequence_mark("0042") == keys.sequence_mark("42")


def test_names_never_change() -> None:
    """Stored items are found by these strings: a failure here is a migration, not a test to fix."""
    assert keys.hot_pk(AT) == "HOT#2026-02-20T14"
    assert keys.hot_sk(AT, "stream-1", "shardId-000000000000") == "35#stream-1#shardId-000000000000"
    assert keys.hour_sk(AT) == "HOUR#2026-02-20T14"
    assert keys.type_pk("page_view") == "TYPE#page_view"
    assert keys.alert_id("page_view", AT, "count", "up") == "8e922e92370e14f99894d0c0f4730031"
    assert keys.alert_sk(AT, "abc") == "2026-02-20T14#abc"
    assert keys.lake_key(AT, "s", "shardId-0", "1", "9") == (
        "events/year=2026/month=02/day=20/hour=14/s-shardId-0-1-9.parquet"
    )
    assert keys.lake_prefix(AT.replace(year=150)).startswith("events/year=0150/month=02/")
    assert keys.quarantine_key("s", "shardId-0", "7", 3) == "quarantine/s/shardId-0/7-3.json"
    assert keys.person_key("user", "user-1") == "8b08eb270d43a6f37e03a60917afd47d"
    assert keys.person_pk("ab") == "PERSON#ab"
    assert keys.active_slot(AT, "000effff") == "2026-02-20T14:35#2"
