from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from common.domain.windows import (
    from_ms,
    hour_of,
    hours_between,
    iso_hour,
    metric_window_of,
    parse_iso_hour,
    rfc3339,
    to_ms,
)

instants = st.integers(min_value=86_400_000_000, max_value=7_258_118_400_000_000).map(
    lambda us: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
)


@given(instants)
def test_a_window_holds_its_instant(at: datetime) -> None:
    assert hour_of(at) <= at < hour_of(at) + timedelta(hours=1)
    assert metric_window_of(at) <= at < metric_window_of(at) + timedelta(minutes=5)
    assert hour_of(metric_window_of(at)) == hour_of(at)


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_names_of_hours_order_as_the_hours_do_in_any_year(one: datetime, other: datetime) -> None:
    assert (iso_hour(one) < iso_hour(other)) is (hour_of(one) < hour_of(other))
    assert len(iso_hour(one)) == 13


@given(instants)
def test_an_hour_is_found_again_by_its_name(at: datetime) -> None:
    assert parse_iso_hour(iso_hour(at)) == hour_of(at)


@given(instants)
def test_milliseconds_go_both_ways(at: datetime) -> None:
    assert from_ms(to_ms(at)) == at.replace(microsecond=at.microsecond // 1000 * 1000)


def test_the_zone_of_an_instant_does_not_move_its_hour() -> None:
    kathmandu = timezone(timedelta(hours=5, minutes=45))
    at = datetime(2026, 2, 20, 20, 5, tzinfo=kathmandu)

    assert iso_hour(at) == "2026-02-20T14"
    assert rfc3339(at) == "2026-02-20T14:20:00.000Z"


def test_a_span_of_hours_is_half_open() -> None:
    start = datetime(2026, 2, 20, 14, 30, tzinfo=UTC)

    assert [h.hour for h in hours_between(start, start + timedelta(minutes=90))] == [14, 15]
    assert hours_between(start, hour_of(start)) == []
