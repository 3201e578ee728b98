from __future__ import annotations

from datetime import UTC, datetime

import pytest

from common.errors import InvalidRequestError
from query import cursor
from query.metrics_query import (
    WIDTHS,
    MetricsQuery,
    ceiling,
    floor,
    next_cursor,
    read_metrics_query,
)

NOW = datetime(2026, 2, 20, 14, 33, 7, tzinfo=UTC)


def read(**query: str) -> MetricsQuery:
    return read_metrics_query({name.rstrip("_"): value for name, value in query.items()}, NOW)


def broken_rules(**query: str) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequestError) as caught:
        read(**query)
    return [(each.field, each.rule) for each in caught.value.errors]


def test_without_parameters_it_is_the_count_of_all_types_by_the_hour_of_the_last_day() -> None:
    assert read() == MetricsQuery(
        event_type="*",
        metric="count",
        granularity="1h",
        start=datetime(2026, 2, 19, 14, tzinfo=UTC),
        end=datetime(2026, 2, 20, 15, tzinfo=UTC),
        limit=1000,
    )


@pytest.mark.parametrize(
    ("granularity", "start", "end"),
    [
        ("5m", "2026-02-20T09:00:00Z", "2026-02-20T09:10:00Z"),
        ("1h", "2026-02-20T09:00:00Z", "2026-02-20T10:00:00Z"),
        ("1d", "2026-02-20T00:00:00Z", "2026-02-21T00:00:00Z"),
    ],
)
def test_a_span_is_widened_to_whole_windows(granularity: str, start: str, end: str) -> None:
    query = read(
        granularity=granularity, from_="2026-02-20T09:01:00Z", to="2026-02-20T09:05:00.001Z"
    )

    assert query.start == datetime.fromisoformat(start)
    assert query.end == datetime.fromisoformat(end)


def test_a_boundary_is_its_own_floor_and_ceiling() -> None:
    boundary = datetime(2026, 2, 20, 9, tzinfo=UTC)

    assert floor(boundary, WIDTHS["1h"]) == ceiling(boundary, WIDTHS["1h"]) == boundary


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2026-02-20T09:00:00Z", id="zulu"),
        pytest.param("2026-02-20T10:00:00+01:00", id="with an offset"),
        pytest.param("2026-02-20T10:00:00 01:00", id="with a plus that the query string lost"),
        pytest.param("1771578000000", id="epoch milliseconds"),
    ],
)
def test_an_instant_may_be_written_in_several_ways(text: str) -> None:
    assert read(from_=text).start == datetime(2026, 2, 20, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "broken"),
    [
        pytest.param({"metrics": "count"}, ("metrics", "unknown_parameter"), id="unknown name"),
        pytest.param({"metric": "avg"}, ("metric", "not_a_choice"), id="unknown metric"),
        pytest.param({"metric": "count,errors"}, ("metric", "not_a_choice"), id="given twice"),
        pytest.param(
            {"granularity": "1m"}, ("granularity", "not_a_choice"), id="unknown granularity"
        ),
        pytest.param({"limit": "0"}, ("limit", "out_of_range"), id="no rows"),
        pytest.param({"limit": "1001"}, ("limit", "out_of_range"), id="too many rows"),
        pytest.param({"limit": "٣"}, ("limit", "out_of_range"), id="digits of another script"),
        pytest.param({"limit": "-1"}, ("limit", "out_of_range"), id="negative"),
        pytest.param({"from_": "yesterday"}, ("from", "bad_format"), id="no instant"),
        pytest.param({"from_": "2026-02-20T09:00:00"}, ("from", "bad_format"), id="naive"),
        pytest.param({"to": "9999-01-01T00:00:00Z"}, ("to", "out_of_range"), id="far future"),
        pytest.param({"from_": "-1"}, ("from", "out_of_range"), id="before 1970"),
        pytest.param({"event_type": "a#b"}, ("event_type", "bad_format"), id="a key's separator"),
        pytest.param({"event_type": ""}, ("event_type", "bad_format"), id="empty type"),
        pytest.param({"event_type": "a\n"}, ("event_type", "bad_format"), id="newline at the end"),
        pytest.param({"cursor": "%%%"}, ("cursor", "bad_cursor"), id="no base64"),
        pytest.param({"cursor": cursor.encode("x", "y")}, ("cursor", "bad_cursor"), id="made up"),
        pytest.param({"cursor": cursor.encode("1")}, ("cursor", "bad_cursor"), id="other listing"),
        pytest.param(
            {"from_": "2026-02-20T09:00:00Z", "to": "2026-02-20T09:00:00Z"},
            ("from", "empty_span"),
            id="empty span",
        ),
        pytest.param(
            {"granularity": "5m", "metric": "unique_users"}, ("granularity", "too_fine"), id="5m"
        ),
        pytest.param(
            {"granularity": "1d", "metric": "unique_users"},
            ("granularity", "not_additive"),
            id="users of a day",
        ),
        pytest.param(
            {"granularity": "1d", "metric": "latency_p95"},
            ("granularity", "not_additive"),
            id="percentiles of a day",
        ),
    ],
)
def test_a_broken_rule_is_named(query: dict[str, str], broken: tuple[str, str]) -> None:
    assert broken_rules(**query) == [broken]


def test_every_broken_rule_is_told_at_once() -> None:
    assert broken_rules(metric="avg", limit="x", colour="red") == [
        ("colour", "unknown_parameter"),
        ("metric", "not_a_choice"),
        ("limit", "out_of_range"),
    ]


def test_a_refusal_of_daily_users_points_to_sql() -> None:
    with pytest.raises(InvalidRequestError, match=r"docs/sql\.md"):
        read(granularity="1d", metric="unique_users")


def test_a_cursor_fixes_the_span_of_its_first_page() -> None:
    start = datetime(2026, 2, 20, 11, tzinfo=UTC)
    end = datetime(2026, 2, 20, 15, tzinfo=UTC)

    query = read(cursor=next_cursor(start, end))

    assert (query.start, query.end) == (start, end)


def test_the_other_types_of_full_windows_can_be_asked_for() -> None:
    assert read(event_type="_other").event_type == "_other"
