from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.histogram import (
    BUCKETS,
    LARGEST_MS,
    RELATIVE_ERROR,
    SMALLEST_MS,
    Histogram,
)

latencies = st.floats(0, LARGEST_MS)
many = st.lists(latencies, max_size=60)
ROUNDING = 1e-9


@given(st.lists(latencies, min_size=1, max_size=60), st.floats(0, 1))
def test_a_quantile_is_within_two_percent_of_the_value_at_its_rank(
    values: list[float], q: float
) -> None:
    exact = sorted(values)[int(q * (len(values) - 1))]

    estimate = Histogram.of(values).quantile(q)

    assert estimate is not None
    if exact < SMALLEST_MS:
        assert estimate == 0
    else:
        assert abs(estimate - exact) <= (RELATIVE_ERROR + ROUNDING) * exact


@pytest.mark.parametrize("value", [SMALLEST_MS, 1.0, 99.99, 142.5, 60_000.0, LARGEST_MS])
def test_the_bound_holds_at_and_beside_a_value(value: float) -> None:
    for near in (value * (1 - 1e-12), value, value * (1 + 1e-12)):
        estimate = Histogram.of([near]).quantile(0.5)
        if SMALLEST_MS <= near <= LARGEST_MS:
            assert estimate == pytest.approx(near, rel=RELATIVE_ERROR + ROUNDING)


def test_a_wider_bucket_would_break_the_bound() -> None:
    values = [100.0 * 1.0001**step for step in range(1_000)]
    worst = max(abs((Histogram.of([each]).quantile(0) or 0) - each) / each for each in values)

    assert 0.9 * RELATIVE_ERROR < worst <= RELATIVE_ERROR + ROUNDING


@given(many, many)
def test_merging_is_the_histogram_of_both(first: list[float], second: list[float]) -> None:
    merged = Histogram.of(first).merged(Histogram.of(second))

    assert merged == Histogram.of(first + second)
    assert merged == Histogram.of(second).merged(Histogram.of(first))
    assert merged.count == len(first) + len(second)


@given(many, st.randoms(use_true_random=False))
def test_equal_values_in_any_order_have_equal_bytes(values: list[float], rng: object) -> None:
    shuffled = list(values)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]

    assert Histogram.of(shuffled).encode() == Histogram.of(values).encode()


@given(many)
def test_the_wire_form_gives_back_what_was_encoded(values: list[float]) -> None:
    histogram = Histogram.of(values)

    assert Histogram.decode(histogram.encode()) == histogram


def test_the_wire_form_is_final() -> None:
    histogram = Histogram(zeros=300, buckets={0: 1, 5: 200, 691: 2})

    assert histogram.encode() == bytes([1, 172, 2, 0, 1, 5, 200, 1, 174, 5, 2])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x02\x00", id="another version"),
        pytest.param(b"\x01", id="no count of zeros"),
        pytest.param(b"\x01\x80", id="cut in a number"),
        pytest.param(b"\x01\x00\x05", id="a bucket without a count"),
        pytest.param(b"\x01\x00\x05\x00", id="an empty bucket"),
        pytest.param(b"\x01\x00\x05\x01\x00\x01", id="a bucket twice"),
        pytest.param(b"\x01\x00\xb4\x05\x01", id="a bucket past the last"),
    ],
)
def test_bytes_that_are_no_histogram_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="latency histogram"):
        Histogram.decode(data)


def test_what_is_out_of_range_is_counted_at_its_ends() -> None:
    histogram = Histogram.of([0.0, SMALLEST_MS / 2, 1e308, LARGEST_MS * 2])

    assert (histogram.zeros, histogram.buckets) == (2, {BUCKETS - 1: 2})


def test_nothing_counted_has_no_quantile() -> None:
    assert [Histogram().quantile(q) for q in (0, 0.5, 1)] == [None, None, None]


@pytest.mark.parametrize("q", [-0.01, 1.01, float("nan")])
def test_a_quantile_outside_zero_to_one_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        Histogram.of([1.0]).quantile(q)


def test_a_full_histogram_stays_under_two_kilobytes() -> None:
    full = Histogram(zeros=100, buckets=dict.fromkeys(range(BUCKETS), 100))

    assert len(full.encode()) < 1_500
