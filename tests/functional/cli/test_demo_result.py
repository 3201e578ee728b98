from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from moto import mock_aws

from common.domain.windows import hours_between, iso_hour
from common.models import AnomalyFinding
from eventstream.demo.result import DemoResult, compare
from eventstream.etl.results import EtlResults
from eventstream.load.report import LoadReport
from eventstream.load.source import Generated
from eventstream.traffic.generate import Anomaly, Plan
from functional.cli.etl_world import Machine, World

PLAN = Plan(
    datetime(2026, 11, 20, 9, tzinfo=UTC),
    hours=6,
    events=300,
    anomaly=Anomaly("error", hours_before_end=3, factor=6.0),
)
FINDING = AnomalyFinding(
    metric="count",
    value=9,
    direction="up",
    z_score=6.1,
    threshold=3,
    baseline_mean=1,
    baseline_sd=1,
    baseline_windows=45,
    expected_low=0,
    expected_high=4,
    explanation="9 error events, expected 0..4",
)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield World(Machine())


def aggregated(world: World, *, leave_out: int = 0, found: bool = True) -> DemoResult:
    """Aggregate the plan's traffic by hand, less some events, and compare."""
    events = [event for _, event in Generated(PLAN).events() if isinstance(event, dict)]
    by_hour: dict[str, Counter[str]] = {}
    for event in events[leave_out:]:
        by_hour.setdefault(event["timestamp"][:13], Counter())[event["event_type"]] += 1
    for hour in hours_between(PLAN.starts_at, PLAN.ends_at):
        planted = hour == PLAN.anomaly_hour and found
        world.write_hour(hour, by_hour[iso_hour(hour)], [FINDING] if planted else [])
    types = Counter(event["event_type"] for event in events)
    report = LoadReport(types=types, seconds=1.0)
    return compare(PLAN, report, types, EtlResults(world))


def test_traffic_that_is_counted_whole_is_good(world: World) -> None:
    result = aggregated(world)

    assert result.is_good
    assert sum(row.aggregated for row in result.rows) >= 300
    assert result.found == "9 error events, expected 0..4"


def test_one_event_that_no_hour_counts_is_noticed(world: World) -> None:
    result = aggregated(world, leave_out=1)

    assert not result.is_good
    assert len([row for row in result.rows if not row.is_equal]) == 1


def test_an_anomaly_that_was_not_found_is_noticed(world: World) -> None:
    result = aggregated(world, found=False)

    assert not result.is_good
    assert all(row.is_equal for row in result.rows)
