from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.domain.anomaly import PastHour, find_anomalies
from common.domain.windows import iso_hour
from common.models import AggregationResult
from eventstream.traffic.generate import EVENT_TYPES, Anomaly, Plan, generate, hourly_quotas

END = datetime(2026, 11, 20, 9, tzinfo=UTC)

Finding = tuple[str, str, str]
"""Event type, ISO hour, metric."""


def traffic(plan: Plan, seed: int | None = None) -> list[dict[str, Any]]:
    return list(generate(plan, random.Random(plan.seed if seed is None else seed)))


def findings(plan: Plan) -> set[Finding]:
    """Judge each hour by those before it, as the hourly ETL does."""
    by_type: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for event in traffic(plan):
        for name in (event["event_type"], "*"):
            by_type[name][event["timestamp"][:13]].append(event)
    found = set()
    for name, hours in by_type.items():
        past: list[PastHour] = []
        for number in range(plan.hours):
            at = plan.starts_at + timedelta(hours=number)
            result = summed(name, at, hours.get(iso_hour(at), []))
            for finding in find_anomalies(result, past, threshold=3.0):
                found.add((name, iso_hour(at), finding.metric))
            past.append(
                PastHour(
                    at,
                    is_final=True,
                    count=result.count,
                    errors=result.errors,
                    unique_users=result.unique_users,
                    latency_count=result.latency_count,
                    latency_p95=result.latency_p95,
                )
            )
    return found


def summed(name: str, at: datetime, events: list[dict[str, Any]]) -> AggregationResult:
    latencies = sorted(event["latency_ms"] for event in events if "latency_ms" in event)
    return AggregationResult(
        event_type=name,
        window_start=at,
        window_end=at + timedelta(hours=1),
        count=len(events),
        errors=sum(event["event_type"] in ("error", "exception") for event in events),
        unique_users=len({event.get("user_id") or event["anonymous_id"] for event in events}),
        latency_count=len(latencies),
        latency_p95=latencies[int(0.95 * (len(latencies) - 1))] if latencies else None,
        status="final",
        generation=1,
        updated_at=at,
    )


def test_the_same_seed_gives_the_same_traffic_and_another_gives_other() -> None:
    plan = Plan(END, hours=6, events=300)

    assert traffic(plan) == traffic(plan)
    assert traffic(plan, seed=1) != traffic(plan, seed=2)


def test_no_two_events_have_one_id_and_another_plan_has_others() -> None:
    plan, other = Plan(END, hours=6, events=300), Plan(END, hours=6, events=300, seed=2)

    ids = {event["event_id"] for event in traffic(plan)}

    assert len(ids) == 300
    assert ids.isdisjoint(event["event_id"] for event in traffic(other))


@pytest.mark.parametrize(("hours", "events"), [(1, 1), (1, 700), (96, 5_000), (30, 10)])
def test_there_are_as_many_events_as_planned_in_order_of_time(hours: int, events: int) -> None:
    plan = Plan(END, hours=hours, events=events)

    times = [event["timestamp"] for event in traffic(plan)]

    assert len(times) == events
    assert times == sorted(times)
    assert times[0] >= iso_hour(plan.starts_at)


def test_quotas_add_up_and_follow_the_day_and_the_week() -> None:
    plan = Plan(datetime(2026, 11, 23, tzinfo=UTC), hours=168, events=50_000)

    quotas = hourly_quotas(plan, random.Random(1))

    days = [sum(quotas[start : start + 24]) for start in range(0, 168, 24)]
    assert sum(quotas) == 50_000
    assert quotas[20] > 2 * quotas[3]
    assert max(days[5:]) < min(days[:5])


def test_every_type_occurs_and_the_funnel_narrows() -> None:
    counts = Counter(event["event_type"] for event in traffic(Plan(END, events=30_000)))

    assert set(counts) == set(EVENT_TYPES)
    funnel = ["page_view", "product_view", "add_to_cart", "checkout", "purchase"]
    assert [counts[name] for name in funnel] == sorted(
        (counts[name] for name in funnel), reverse=True
    )
    assert counts["purchase"] > 100


def test_visits_have_one_visitor_and_purchases_come_from_those_signed_in() -> None:
    visits: dict[str, set[str]] = defaultdict(set)
    for event in traffic(Plan(END, events=5_000)):
        visits[event["session_id"]].add(event["anonymous_id"])
        if event["event_type"] == "purchase":
            assert event["user_id"]

    assert {len(visitors) for visitors in visits.values()} == {1}


def test_campaigns_are_on_landing_pages_and_referrers_lead_through_the_visit() -> None:
    pages = [event["context"]["page"] for event in traffic(Plan(END, events=3_000))]

    assert any("utm_campaign=" in page["url"] for page in pages)
    assert any(page.get("referrer", "").startswith("https://www.google.com") for page in pages)
    assert any(page.get("referrer", "").startswith("https://shop.") for page in pages)


@pytest.mark.parametrize(
    ("text", "metric", "end_hour"),
    [
        ("error:3:6", "count", 2),
        ("error:3:6", "count", 21),
        ("page_view:5:3", "count", 9),
        ("page_view:4:4:latency", "latency_p95", 9),
    ],
)
def test_the_planted_anomaly_is_found_and_few_others(text: str, metric: str, end_hour: int) -> None:
    plan = Plan(END.replace(hour=end_hour), events=15_000, anomaly=Anomaly.parse(text))
    assert plan.anomaly is not None
    assert plan.anomaly_hour is not None
    hour = iso_hour(plan.anomaly_hour)

    found = findings(plan)

    assert (plan.anomaly.event_type, hour, metric) in found
    assert len([each for each in found if each[1] != hour]) <= 2


def test_without_a_planted_anomaly_that_hour_is_like_the_others() -> None:
    plan = Plan(END, events=15_000, anomaly=None)

    assert not [each for each in findings(plan) if each[1] == iso_hour(END - timedelta(hours=3))]


def test_a_planted_spike_comes_on_top_of_the_planned_events() -> None:
    quiet = Plan(END, events=20_000)
    loud = Plan(END, events=20_000, anomaly=Anomaly.parse("error:3:6"))

    assert len(traffic(quiet)) == 20_000
    assert len(traffic(loud)) > 20_010


def test_figures_outside_their_bounds_are_refused() -> None:
    for wrong in ({"hours": 0}, {"events": 0}, {"users": 0}, {"ends_at": END.replace(minute=5)}):
        with pytest.raises(Exception, match=r"at least 1|whole hour"):
            Plan(**{"ends_at": END, **wrong})
