from __future__ import annotations

import doctest
import math
import random
import statistics
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain import anomaly, zscore
from common.domain.anomaly import MIN_LATENCIES, PastHour, baseline_of, find_anomalies
from common.domain.windows import HOUR, hours_between
from common.domain.zscore import MIN_BASELINE_WINDOWS, count_floor, judge, latency_floor
from common.models import AggregationResult

NINE = datetime(2026, 11, 20, 9, tzinfo=UTC)
RESTLESS = [80.0, 120.0] * 12
"""Mean 100, sample standard deviation 20.43: wider than chance."""
COUNTS = st.integers(0, 10**9).map(float)


def a_result(event_type: str = "page_view", **figures: Any) -> AggregationResult:
    values = {
        "event_type": event_type,
        "window_start": NINE,
        "window_end": NINE + HOUR,
        "count": 100,
        "errors": 0,
        "unique_users": 10,
        "latency_count": 0,
        "status": "final",
        "generation": 1,
        "updated_at": NINE + HOUR,
    }
    return AggregationResult.model_validate(values | figures)


def past(hours: int = 24, **figures: Any) -> list[PastHour]:
    values = {"count": 100, "unique_users": 10} | figures
    return [PastHour(NINE - n * HOUR, is_final=True, **values) for n in range(hours, 0, -1)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(100.0, False, id="at the mean"),
        pytest.param(160.0, False, id="2.94 sd above"),
        pytest.param(162.0, True, id="3.03 sd above"),
        pytest.param(38.0, True, id="3.03 sd below: a silent client is news too"),
    ],
)
def test_judges_by_distance_from_the_mean(value: float, expected: bool) -> None:
    assert judge(value, RESTLESS).is_anomaly is expected


def test_the_spread_is_the_sample_standard_deviation() -> None:
    verdict = judge(150.0, RESTLESS)

    assert verdict.sd == pytest.approx(statistics.stdev(RESTLESS))
    assert verdict.z_score == pytest.approx(50.0 / statistics.stdev(RESTLESS))
    assert not verdict.is_floored


def test_the_threshold_is_reached_by_equality() -> None:
    assert judge(130.0, [100.0] * 24, threshold=3.0).is_anomaly
    assert not judge(130.0, [100.0] * 24, threshold=3.01).is_anomaly


@pytest.mark.parametrize(
    ("windows", "judged"), [(MIN_BASELINE_WINDOWS - 1, False), (MIN_BASELINE_WINDOWS, True)]
)
def test_a_short_past_gives_no_verdict(windows: int, judged: bool) -> None:
    verdict = judge(10**6, [100.0] * windows)

    assert (verdict.z_score is not None) is judged
    assert verdict.is_anomaly is judged


@pytest.mark.parametrize(
    ("value", "mean", "expected"),
    [
        pytest.param(129.0, 100.0, False, id="2.9 times chance's spread above 100"),
        pytest.param(131.0, 100.0, True, id="3.1 times chance's spread above 100"),
        pytest.param(2.0, 0.0, False, id="two events after a week of none"),
        pytest.param(3.0, 0.0, True, id="three events after a week of none"),
        pytest.param(0.0, 8.0, False, id="none where 8 are usual happens by chance"),
        pytest.param(0.0, 10.0, True, id="none where 10 are usual does not"),
    ],
)
def test_a_flat_past_is_not_more_certain_than_chance(
    value: float, mean: float, expected: bool
) -> None:
    assert judge(value, [mean] * 168).is_anomaly is expected


def test_without_the_floor_a_flat_past_would_make_anything_significant() -> None:
    assert judge(101.0, [100.0] * 168, floor=lambda _: 1e-9).is_anomaly
    assert not judge(101.0, [100.0] * 168).is_anomaly


@pytest.mark.parametrize(("mean", "most"), [(0.2, 2), (2, 10), (10, 7), (100, 5)])
def test_chance_alone_rarely_raises_an_alarm(mean: float, most: int) -> None:
    assert _false_alarms_per_1000(mean, count_floor) <= most


def test_without_the_floor_quiet_types_would_raise_many() -> None:
    assert _false_alarms_per_1000(0.2, lambda _: 1e-9) > 10


def _false_alarms_per_1000(mean: float, floor: Callable[[float], float]) -> float:
    draw = random.Random(20)
    counts = [float(_poisson(mean, draw)) for _ in range(3168)]
    hours = range(168, len(counts))
    alarms = sum(judge(counts[i], counts[i - 168 : i], floor=floor).is_anomaly for i in hours)
    return 1000 * alarms / len(hours)


def _poisson(mean: float, draw: random.Random) -> int:
    """Count arrivals that are exponentially far apart, until they fill one unit of time."""
    events, elapsed = 0, draw.expovariate(mean)
    while elapsed < 1:
        events += 1
        elapsed += draw.expovariate(mean)
    return events


def test_a_latency_may_change_by_three_percent_unnoticed() -> None:
    steady = [200.0] * 48

    assert not judge(205.9, steady, floor=latency_floor).is_anomaly
    assert judge(206.1, steady, floor=latency_floor).is_anomaly


@given(COUNTS, st.lists(COUNTS, min_size=24, max_size=60), st.sampled_from([0.5, 3.0, 8.0]))
def test_a_verdict_is_always_finite_and_true_to_its_range(
    value: float, baseline: list[float], threshold: float
) -> None:
    verdict = judge(value, baseline, threshold=threshold)
    low, high = verdict.expected

    assert verdict.z_score is not None
    assert math.isfinite(verdict.z_score)
    assert verdict.sd >= count_floor(verdict.mean)
    if not math.isclose(abs(verdict.z_score), threshold):
        assert verdict.is_anomaly is not (verdict.mean - threshold * verdict.sd < value < high)
    assert 0 <= low <= high


@given(COUNTS, st.lists(COUNTS, min_size=24, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_the_past_does_not_matter(
    value: float, baseline: list[float], draw: random.Random
) -> None:
    shuffled = list(baseline)
    draw.shuffle(shuffled)

    assert judge(value, shuffled).z_score == pytest.approx(judge(value, baseline).z_score)


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_are_refused(broken: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        judge(broken, RESTLESS)
    with pytest.raises(ValueError, match="finite"):
        judge(1.0, [*RESTLESS, broken])
    with pytest.raises(ValueError, match=r"finite|positive"):
        judge(1.0, RESTLESS, threshold=broken)


@pytest.mark.parametrize("threshold", [0.0, -3.0])
def test_a_threshold_that_everything_passes_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        judge(1.0, RESTLESS, threshold=threshold)


def test_an_hour_without_a_result_is_zero_only_where_all_of_it_was_seen() -> None:
    hours = hours_between(NINE - 5 * HOUR, NINE)
    first, second, third, fourth, fifth = hours
    history = {third: PastHour(third, is_final=True, count=7)}

    chosen = baseline_of(history, hours, final_hours={first, second, fourth}, first_hour=second)

    assert [(each.hour, each.count) for each in chosen] == [(second, 0), (third, 7), (fourth, 0)]
    assert fifth not in {each.hour for each in chosen}


def test_a_provisional_result_is_no_baseline() -> None:
    hour = NINE - HOUR
    history = {hour: PastHour(hour, is_final=False, count=7)}

    assert baseline_of(history, [hour], final_hours={hour}, first_hour=hour) == []


def test_each_metric_is_judged_on_its_own() -> None:
    result = a_result(count=412, errors=50, unique_users=10, latency_count=50, latency_p95=900.0)
    baseline = past(48, errors=2, latency_count=50, latency_p95=300.0)

    findings = find_anomalies(result, baseline, threshold=3)

    assert [each.metric for each in findings] == ["count", "errors", "latency_p95"]
    assert {each.direction for each in findings} == {"up"}


def test_a_fall_is_found_too() -> None:
    [finding] = find_anomalies(a_result(count=20), past(48), threshold=3)

    assert (finding.metric, finding.direction, finding.z_score) == ("count", "down", -8.0)


@pytest.mark.parametrize(("latencies", "findings"), [(MIN_LATENCIES - 1, 0), (MIN_LATENCIES, 1)])
def test_a_percentile_of_few_latencies_is_not_judged(latencies: int, findings: int) -> None:
    result = a_result(latency_count=latencies, latency_p95=9000.0)
    baseline = past(48, latency_count=500, latency_p95=300.0)

    assert len(find_anomalies(result, baseline, threshold=3)) == findings


def test_past_hours_with_few_latencies_are_no_baseline_of_latency() -> None:
    result = a_result(latency_count=500, latency_p95=9000.0)

    assert find_anomalies(result, past(48, latency_count=3, latency_p95=300.0), threshold=3) == ()


def test_the_explanation_says_all_that_the_verdict_rests_on() -> None:
    counts = [120.3 - 13.2 * math.sqrt(167 / 168), 120.3 + 13.2 * math.sqrt(167 / 168)] * 84
    verdict = judge(412.0, counts)

    assert anomaly.explain(a_result(count=412), "count", verdict) == (
        "412 page_view events between 09:00 and 10:00 UTC, expected 80..160 "
        "(mean 120.3, sd 13.2 over 168 hours): 22.1 sd above, threshold 3"
    )


@pytest.mark.parametrize(
    ("event_type", "figures", "sentence"),
    [
        ("*", {"count": 412}, "412 events of all types between 09:00 and 10:00 UTC, "),
        ("*", {"errors": 412}, "412 errors among events of all types between "),
        ("page_view", {"errors": 412}, "412 errors among page_view events between "),
        ("page_view", {"unique_users": 1412}, "1,412 unique users of page_view events between "),
        (
            "page_view",
            {"latency_count": 99, "latency_p95": 812.25},
            "a 95th percentile latency of 812.2 ms of page_view events between ",
        ),
    ],
)
def test_the_explanation_names_what_was_counted(
    event_type: str, figures: dict[str, Any], sentence: str
) -> None:
    baseline = past(48, latency_count=99, latency_p95=100.0)

    [finding] = find_anomalies(a_result(event_type, **figures), baseline, threshold=3)

    assert finding.explanation.startswith(sentence)


def test_the_explanation_says_when_the_spread_is_the_floor() -> None:
    [finding] = find_anomalies(a_result(count=0), past(48), threshold=3)

    assert finding.explanation == (
        "0 page_view events between 09:00 and 10:00 UTC, expected 70..130 (mean 100, "
        "sd 10 (the lowest that is used) over 48 hours): 10.0 sd below, threshold 3"
    )
    assert (finding.baseline_sd, finding.baseline_windows) == (10.0, 48)
    assert (finding.expected_low, finding.expected_high) == (70.0, 130.0)


def test_an_hour_that_ends_at_midnight_reads_well() -> None:
    start = NINE + timedelta(hours=14)
    result = a_result(count=0, window_start=start, window_end=start + HOUR)

    [finding] = find_anomalies(result, past(48), threshold=3)

    assert "between 23:00 and 00:00 UTC" in finding.explanation


def test_the_examples_in_the_docstrings_hold() -> None:
    assert [doctest.testmod(module).failed for module in (anomaly, zscore)] == [0, 0]
