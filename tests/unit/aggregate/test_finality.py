from __future__ import annotations

import doctest
from datetime import UTC, datetime, timedelta

import pytest

from aggregate import finality
from aggregate.finality import is_final, read_watermark
from fakes.lag import MemoryLag

NINE = datetime(2026, 11, 20, 9, tzinfo=UTC)
GRACE = timedelta(minutes=5)


@pytest.mark.parametrize(
    ("minutes", "lag_minutes", "expected"),
    [
        pytest.param(59, 0, False, id="the hour is running"),
        pytest.param(64, 0, False, id="its grace is running"),
        pytest.param(65, 0, True, id="its grace has passed"),
        pytest.param(120, 60, False, id="closed for an hour, and the stream is an hour behind"),
        pytest.param(120, 55, True, id="and the stream is read beyond the grace"),
    ],
)
def test_an_hour_is_final_when_it_is_closed_and_drained(
    minutes: int, lag_minutes: int, expected: bool
) -> None:
    now = NINE + timedelta(minutes=minutes)
    watermark = read_watermark(MemoryLag(timedelta(minutes=lag_minutes)), now)

    assert is_final(NINE, watermark, GRACE) is expected


@pytest.mark.parametrize(
    ("silent_minutes", "expected"),
    [
        pytest.param(1, True, id="seen a minute ago, behind the grace"),
        pytest.param(2, False, id="seen before the grace was over, and never since"),
    ],
)
def test_a_reader_that_went_silent_vouches_only_for_the_time_before(
    silent_minutes: int, expected: bool
) -> None:
    lag = MemoryLag(timedelta(0), silence=timedelta(minutes=silent_minutes))
    watermark = read_watermark(lag, NINE + timedelta(minutes=66))

    assert is_final(NINE, watermark, GRACE) is expected


def test_without_a_known_lag_no_hour_is_final() -> None:
    watermark = read_watermark(MemoryLag(None), NINE + timedelta(days=30))

    assert watermark is None
    assert not is_final(NINE, watermark, GRACE)


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(finality).failed == 0
