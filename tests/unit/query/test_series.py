from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from fakes.reading_builders import NINE, at, hot, reopened, result, settled, untouched
from fakes.readings import MemoryReadings
from query.metrics_query import MetricsQuery
from query.series import Page, series

NOW = at(14, 33)
DAY = timedelta(days=1)


def page(readings: MemoryReadings, *, now: datetime = NOW, **changes: Any) -> Page:
    values: dict[str, Any] = {
        "event_type": "click",
        "metric": "count",
        "granularity": "1h",
        "start": at(0),
        "end": at(15),
        "limit": 1000,
    }
    return series(MetricsQuery(**(values | changes)), readings, now)


def values(readings: MemoryReadings, **changes: Any) -> list[tuple[int, Any, str]]:
    return [
        (point.start.hour, point.value, point.status) for point in page(readings, **changes).points
    ]


@pytest.fixture
def readings() -> MemoryReadings:
    return MemoryReadings()


def test_a_settled_hour_is_answered_by_its_result_alone(readings: MemoryReadings) -> None:
    readings.add_state(settled(NINE))
    readings.add_result(result("click", NINE, 40))
    readings.add_hot(at(9, 5), {"click": hot(41)})

    assert values(readings) == [(9, 40, "final")]
    assert readings.hot_reads == []


def test_an_event_shows_before_any_aggregation(readings: MemoryReadings) -> None:
    readings.add_state(untouched(at(14)))
    readings.add_hot(at(14, 30), {"click": hot(1)})

    assert values(readings) == [(14, 1, "provisional")]
    assert values(readings, granularity="5m") == [(14, 1, "provisional")]


def test_shards_and_windows_of_an_hour_add_up(readings: MemoryReadings) -> None:
    readings.add_state(untouched(at(14)))
    readings.add_hot(at(14, 30), {"click": hot(1, errors=1), "view": hot(50)})
    readings.add_hot(at(14, 30), {"click": hot(2)})
    readings.add_hot(at(14, 35), {"click": hot(4, errors=2)})

    assert values(readings) == [(14, 7, "provisional")]
    assert values(readings, metric="errors") == [(14, 3, "provisional")]
    assert values(readings, event_type="*") == [(14, 57, "provisional")]


def test_an_hour_aggregated_early_grows_with_the_hot_windows(readings: MemoryReadings) -> None:
    readings.add_state(untouched(at(14)))
    readings.add_result(result("click", at(14), 10, status="provisional"))
    readings.add_hot(at(14, 30), {"click": hot(25)})

    assert values(readings) == [(14, 25, "provisional")]


def test_late_events_that_no_hot_window_holds_stay_counted(readings: MemoryReadings) -> None:
    readings.add_state(reopened(NINE))
    readings.add_result(result("click", NINE, 40))
    readings.add_hot(at(9, 5), {"click": hot(38)})

    assert values(readings) == [(9, 40, "provisional")]


def test_an_hour_that_will_be_aggregated_again_is_provisional(readings: MemoryReadings) -> None:
    readings.add_state(replace(settled(NINE), is_open=True))
    readings.add_result(result("click", NINE, 40))

    assert values(readings) == [(9, 40, "provisional")]


def test_a_result_of_an_unfinished_hour_is_provisional(readings: MemoryReadings) -> None:
    readings.add_state(settled(NINE))
    readings.add_result(result("click", NINE, 40, status="provisional"))

    assert values(readings) == [(9, 40, "provisional")]


def test_users_of_an_hour_come_from_its_result_only(readings: MemoryReadings) -> None:
    readings.add_state(settled(NINE))
    readings.add_result(result("click", NINE, 40, unique_users=7))
    readings.add_state(untouched(at(14)))
    readings.add_hot(at(14, 30), {"click": hot(25)})

    assert values(readings, metric="unique_users") == [(9, 7, "final"), (14, None, "provisional")]


def test_users_of_an_early_aggregation_are_told_though_hot_windows_saw_more(
    readings: MemoryReadings,
) -> None:
    readings.add_state(untouched(NINE))
    readings.add_result(result("click", NINE, 4, unique_users=3, status="provisional"))
    readings.add_hot(at(9, 30), {"click": hot(25)})

    assert values(readings, metric="unique_users") == [(9, 3, "provisional")]


def test_percentiles_are_estimated_over_all_shards_together(readings: MemoryReadings) -> None:
    readings.add_state(untouched(at(14)))
    readings.add_hot(at(14, 30), {"click": hot(90, latencies=(100.0,) * 90)})
    readings.add_hot(at(14, 30), {"click": hot(10, latencies=(900.0,) * 10)})

    [(_, p50, _)] = values(readings, metric="latency_p50")
    [(_, p95, _)] = values(readings, metric="latency_p95", granularity="5m")

    assert p50 == pytest.approx(100, rel=0.02)
    assert p95 == pytest.approx(900, rel=0.02)


def test_a_percentile_of_nothing_is_null(readings: MemoryReadings) -> None:
    readings.add_state(untouched(at(14)))
    readings.add_hot(at(14, 30), {"click": hot(3)})
    readings.add_state(settled(NINE))
    readings.add_result(result("click", NINE, 3))

    assert values(readings, metric="latency_p99") == [
        (9, None, "final"),
        (14, None, "provisional"),
    ]


def test_percentiles_of_an_aggregated_hour_are_exact(readings: MemoryReadings) -> None:
    readings.add_state(settled(NINE))
    readings.add_result(result("click", NINE, 3, latency_count=3, latency_p90=123.456))

    assert values(readings, metric="latency_p90") == [(9, 123.456, "final")]


def test_an_hour_without_the_type_has_no_point_and_a_counted_zero_has_one(
    readings: MemoryReadings,
) -> None:
    readings.add_state(settled(at(8)))
    readings.add_state(settled(NINE))
    readings.add_result(result("view", at(8), 5))
    readings.add_result(result("click", NINE, 0))

    assert values(readings) == [(9, 0, "final")]


def test_all_types_together_come_from_their_own_result(readings: MemoryReadings) -> None:
    readings.add_state(settled(NINE))
    readings.add_result(result("*", NINE, 99, unique_users=12))
    readings.add_result(result("click", NINE, 40))

    assert values(readings, event_type="*") == [(9, 99, "final")]
    assert values(readings, event_type="*", metric="unique_users") == [(9, 12, "final")]


def test_pages_of_hours_go_on_where_the_last_one_ended(readings: MemoryReadings) -> None:
    for hour in (3, 5, 9):
        readings.add_state(settled(at(hour)))
        readings.add_result(result("click", at(hour), hour))

    first = page(readings, limit=2)
    assert first.next_start is not None
    second = page(readings, limit=2, start=first.next_start)

    assert [point.value for point in first.points + second.points] == [3, 5, 9]
    assert second.next_start is None


def test_pages_of_five_minutes_lose_and_repeat_nothing(readings: MemoryReadings) -> None:
    windows = [at(hour, minute) for hour in (3, 4, 9, 10, 11) for minute in range(0, 60, 5)]
    for number, start in enumerate(windows):
        readings.add_state(untouched(start.replace(minute=0)))
        readings.add_hot(start, {"click": hot(number)})
    seen, start = [], at(3, 10)

    while start is not None:
        answered = page(readings, granularity="5m", limit=7, start=start, end=at(11, 50))
        assert len(answered.points) <= 7
        seen += [point.start for point in answered.points]
        start = answered.next_start

    assert seen == windows[2:-2]


def test_a_day_is_the_sum_of_its_hours(readings: MemoryReadings) -> None:
    for hour in (3, 9):
        readings.add_state(settled(at(hour)))
        readings.add_result(result("click", at(hour), hour, errors=1))
    readings.add_state(untouched(at(14)))
    readings.add_hot(at(14, 5), {"click": hot(100)})
    day = {"granularity": "1d", "end": at(0) + DAY}

    assert [(p.start, p.value, p.status) for p in page(readings, **day).points] == [
        (at(0), 112, "provisional")
    ]
    assert [p.value for p in page(readings, metric="errors", **day).points] == [2]


def test_a_day_is_final_once_it_is_over_and_every_hour_of_it_is(readings: MemoryReadings) -> None:
    readings.add_state(settled(NINE))
    readings.add_result(result("click", NINE, 5))
    day: dict[str, Any] = {"granularity": "1d", "end": at(0) + DAY}

    def status(now: datetime) -> str:
        [point] = page(readings, now=now, **day).points
        return point.status

    assert status(at(23)) == "provisional"
    assert status(at(0) + DAY) == "provisional"
    assert status(at(1) + DAY) == "final"

    readings.add_state(untouched(at(12)))
    assert status(at(1) + DAY) == "provisional"


def test_pages_of_days_hold_whole_days_only(readings: MemoryReadings) -> None:
    for number in range(24 * 5):
        hour = at(0) + timedelta(hours=number)
        readings.add_state(settled(hour))
        readings.add_result(result("click", hour, 1))
    seen, start = [], at(0)

    while start is not None:
        answered = page(readings, granularity="1d", limit=2, start=start, end=at(0) + 5 * DAY)
        seen += [(point.start.day, point.value) for point in answered.points]
        start = answered.next_start

    assert seen == [(20, 24), (21, 24), (22, 24), (23, 24), (24, 24)]


def test_pages_of_sparse_days_keep_the_limit(readings: MemoryReadings) -> None:
    for number in range(5):
        hour = NINE + number * DAY
        readings.add_state(settled(hour))
        readings.add_result(result("click", hour, 1))

    answered = page(readings, granularity="1d", limit=2, end=at(0) + 5 * DAY)

    assert [point.start.day for point in answered.points] == [20, 21]
    assert answered.next_start == at(0) + 2 * DAY
