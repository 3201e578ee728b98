from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from common.domain.windows import HOUR
from common.errors import StoreError, ThrottledError
from common.observability import metrics
from common.ports.aggregates import SchemaUse
from fakes.api_keys import open_access
from fakes.reading_builders import NINE, alert, at, hot, result, run, settled, type_entry, untouched
from fakes.readings import MemoryReadings
from query import cursor, handler
from query.service import Deps

NOW = at(14, 33)
SOURCES = Path(__file__).parents[3] / "src"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: dict[str, Any]


class Context:
    function_name = "query"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-central-1:000000000000:function:query"
    aws_request_id = "r-0"


Get = Callable[..., Answer]


@pytest.fixture
def readings() -> MemoryReadings:
    return MemoryReadings()


@pytest.fixture
def get(readings: MemoryReadings, monkeypatch: pytest.MonkeyPatch) -> Get:
    monkeypatch.setattr(metrics, "namespace", "EventStream")
    monkeypatch.setattr(
        handler, "deps", lambda: Deps(readings, now=lambda: NOW, access=open_access())
    )

    def call(path: str, query: dict[str, str] | None = None, method: str = "GET") -> Answer:
        event = {
            "version": "2.0",
            "rawPath": path,
            "headers": {},
            "requestContext": {
                "http": {"method": method, "path": path, "sourceIp": "203.0.113.9"},
                "requestId": "r-1",
                "stage": "$default",
                "timeEpoch": 1_771_597_800_123,
            },
            "isBase64Encoded": False,
        }
        if query:
            event["queryStringParameters"] = query
        raw = handler.lambda_handler(event, Context())  # type: ignore[arg-type]
        return Answer(raw["statusCode"], raw["headers"], json.loads(raw["body"]))

    return call


def test_a_series_tells_what_it_is_and_every_window_of_it(
    get: Get, readings: MemoryReadings
) -> None:
    readings.add_state(settled(NINE))
    readings.add_result(result("click", NINE, 40))
    readings.add_state(untouched(at(14)))
    readings.add_hot(at(14, 30), {"click": hot(2)})

    answer = get("/metrics", {"event_type": "click", "from": "2026-02-20T09:00:00Z"})

    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.body == {
        "event_type": "click",
        "metric": "count",
        "unit": "events",
        "granularity": "1h",
        "from": "2026-02-20T09:00:00.000Z",
        "to": "2026-02-20T15:00:00.000Z",
        "points": [
            {
                "start": "2026-02-20T09:00:00.000Z",
                "end": "2026-02-20T10:00:00.000Z",
                "value": 40,
                "status": "final",
            },
            {
                "start": "2026-02-20T14:00:00.000Z",
                "end": "2026-02-20T15:00:00.000Z",
                "value": 2,
                "status": "provisional",
            },
        ],
        "next_cursor": None,
        "request_id": "r-1",
    }


def test_a_type_that_never_occurred_is_an_empty_series_with_a_hint(get: Get) -> None:
    answer = get("/metrics", {"event_type": "clikc"})

    assert (answer.status, answer.body["points"]) == (200, [])
    assert "/event-types" in answer.body["hint"]


@pytest.mark.parametrize(
    ("metric", "unit"), [("errors", "events"), ("unique_users", "users"), ("latency_p95", "ms")]
)
def test_a_series_tells_its_unit(get: Get, metric: str, unit: str) -> None:
    assert get("/metrics", {"metric": metric}).body["unit"] == unit


def test_a_long_series_is_read_page_by_page(get: Get, readings: MemoryReadings) -> None:
    for hour in range(9, 14):
        readings.add_state(settled(at(hour)))
        readings.add_result(result("click", at(hour), hour))
    seen: list[int] = []
    query = {"event_type": "click", "limit": "2"}

    while True:
        body = get("/metrics", query).body
        seen += [point["value"] for point in body["points"]]
        if body["next_cursor"] is None:
            break
        query["cursor"] = body["next_cursor"]

    assert seen == [9, 10, 11, 12, 13]


def test_a_refusal_names_every_parameter_and_rule_and_no_value(get: Get) -> None:
    answer = get("/metrics", {"metric": "<script>", "limit": "31337"})

    assert (answer.status, answer.body["code"]) == (400, "invalid_request")
    assert answer.headers["content-type"] == "application/problem+json"
    assert [(each["field"], each["rule"]) for each in answer.body["errors"]] == [
        ("metric", "not_a_choice"),
        ("limit", "out_of_range"),
    ]
    assert "script" not in json.dumps(answer.body)
    assert "31337" not in json.dumps(answer.body)


def test_types_are_those_of_the_catalogue_and_of_the_last_two_hours(
    get: Get, readings: MemoryReadings
) -> None:
    readings.add_type(type_entry("click", at(8), at(9)))
    readings.add_type(type_entry("*", at(8), at(9)))
    readings.add_hot(at(13, 55), {"click": hot(3)})
    readings.add_hot(at(14, 30), {"signup": hot(1), "click": hot(4)})
    readings.add_hot(at(12, 55), {"too old": hot(9)})

    body = get("/event-types").body

    assert body["recent_since"] == "2026-02-20T13:00:00.000Z"
    assert body["event_types"] == [
        {
            "event_type": "click",
            "first_hour": "2026-02-20T08:00:00.000Z",
            "last_hour": "2026-02-20T14:00:00.000Z",
            "recent_events": 7,
            "last_schema": None,
            "schema_violations": None,
        },
        {
            "event_type": "signup",
            "first_hour": "2026-02-20T14:00:00.000Z",
            "last_hour": "2026-02-20T14:00:00.000Z",
            "recent_events": 1,
            "last_schema": None,
            "schema_violations": None,
        },
    ]


def test_a_type_tells_its_schema_and_the_violations_of_a_day(
    get: Get, readings: MemoryReadings
) -> None:
    for name in ("order", "refund", "click"):
        readings.add_type(type_entry(name))
    yesterday = at(14) - timedelta(days=1)
    readings.add_schemas(yesterday - HOUR, {"order": SchemaUse(1, 1000)})
    readings.add_schemas(yesterday, {"order": SchemaUse(9, 7), "refund": SchemaUse(1, 0)})
    readings.add_schemas(at(13), {"order": SchemaUse(2, 4)})

    body = get("/event-types").body

    assert body["schemas_since"] == "2026-02-19T14:00:00.000Z"
    told = {
        row["event_type"]: (row["last_schema"], row["schema_violations"])
        for row in body["event_types"]
    }
    assert told == {"click": (None, None), "order": ("order/2", 11), "refund": ("refund/1", 0)}


def test_pages_of_types_hold_each_type_once(get: Get, readings: MemoryReadings) -> None:
    for name in "bdfh":
        readings.add_type(type_entry(name))
    readings.add_hot(at(14), {name: hot(1) for name in "abcdefghi"})
    seen: list[str] = []
    query = {"limit": "2"}

    while True:
        body = get("/event-types", query).body
        assert len(body["event_types"]) <= 2
        seen += [each["event_type"] for each in body["event_types"]]
        if body["next_cursor"] is None:
            break
        query["cursor"] = body["next_cursor"]

    assert seen == list("abcdefghi")


def test_anomalies_come_newest_first_with_explanation_and_state(
    get: Get, readings: MemoryReadings
) -> None:
    readings.add_alert(alert("click", at(8)), sent_at=NOW)
    readings.add_alert(alert("view", at(9), "down"))

    body = get("/anomalies").body

    assert [(each["event_type"], each["state"]) for each in body["anomalies"]] == [
        ("view", "PENDING"),
        ("click", "SENT"),
    ]
    newest = body["anomalies"][0]
    assert newest["finding"]["explanation"] == "950 view events: expected 0 to 327"
    assert newest["finding"]["direction"] == "down"
    assert newest["window_start"] == "2026-02-20T09:00:00.000Z"


def test_anomalies_of_a_span_and_type_are_read_page_by_page(
    get: Get, readings: MemoryReadings
) -> None:
    for hour in range(14):
        readings.add_alert(alert("view" if hour % 2 else "click", at(hour)), sent_at=NOW)
    query = {"event_type": "click", "from": "2026-02-20T04:30:00Z", "limit": "2"}
    seen: list[str] = []

    while True:
        body = get("/anomalies", query).body
        seen += [each["window_start"][11:13] for each in body["anomalies"]]
        if body["next_cursor"] is None:
            break
        query["cursor"] = body["next_cursor"]

    assert seen == ["12", "10", "08", "06", "04"]


def test_a_cursor_that_was_tampered_with_is_refused(get: Get) -> None:
    outside = cursor.encode(f"2026-02-20T09#{'0' * 32}", "1771581600000", "1771585200000")

    answer = get("/anomalies", {"cursor": outside})

    assert (answer.status, answer.body["errors"][0]["field"]) == (400, "cursor")


def test_alerts_of_all_types_together_can_be_asked_for_alone(
    get: Get, readings: MemoryReadings
) -> None:
    readings.add_alert(alert("*", at(9)), sent_at=NOW)
    readings.add_alert(alert("click", at(9)), sent_at=NOW)

    def found(query: dict[str, str]) -> list[str]:
        return sorted(each["event_type"] for each in get("/anomalies", query).body["anomalies"])

    assert found({"event_type": "*"}) == ["*"]
    assert found({}) == ["*", "click"]


def test_runs_come_newest_first_page_by_page(get: Get, readings: MemoryReadings) -> None:
    for hour in ("08", "09", "10"):
        readings.add_run(run(f"2026-02-20T{hour}:07:00.000Z"))

    first = get("/runs", {"limit": "2"}).body
    second = get("/runs", {"limit": "2", "cursor": first["next_cursor"]}).body

    assert [each["started_at"][11:13] for each in first["runs"] + second["runs"]] == [
        "10",
        "09",
        "08",
    ]
    assert second["next_cursor"] is None
    assert first["runs"][0]["events"] == 120
    assert "key" not in first["runs"][0]


def test_health_is_ok_while_every_table_answers(get: Get) -> None:
    answer = get("/health")

    assert answer.status == 200
    assert answer.body["status"] == "ok"
    assert answer.body["checks"] == {"hot_table": "ok", "aggregates_table": "ok"}


def test_health_is_503_when_a_table_does_not_answer(get: Get, readings: MemoryReadings) -> None:
    readings.down["hot_table"] = StoreError("gone")

    answer = get("/health")

    assert (answer.status, answer.body["status"]) == (503, "failing")
    assert answer.body["checks"] == {"hot_table": "failing", "aggregates_table": "ok"}


@pytest.mark.parametrize("path", ["/metrics/", "/event-types/", "/anomalies/", "/runs/"])
def test_a_slash_at_the_end_is_tolerated(get: Get, path: str) -> None:
    assert get(path).status == 200


def test_an_unknown_route_is_404_and_lists_the_routes(get: Get) -> None:
    answer = get("/metric")

    assert (answer.status, answer.body["code"]) == (404, "not_found")
    assert "/metrics" in answer.body["detail"]


def test_another_method_is_405_and_says_which_one_is_allowed(get: Get) -> None:
    answer = get("/metrics", method="DELETE")

    assert (answer.status, answer.body["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize("path", ["/event-types", "/anomalies", "/runs", "/health"])
def test_no_route_ignores_a_parameter_it_does_not_know(get: Get, path: str) -> None:
    answer = get(path, {"metric": "count"})

    assert (answer.status, answer.body["errors"][0]["rule"]) == (400, "unknown_parameter")


def test_a_throttled_table_asks_the_client_to_come_back(get: Get, readings: MemoryReadings) -> None:
    readings.down["aggregates_table"] = ThrottledError("dynamodb:Query was throttled")

    answer = get("/metrics")

    assert (answer.status, answer.body["code"]) == (503, "throttled")
    assert 1 <= int(answer.headers["retry-after"]) <= 5


def test_the_function_never_pays_for_the_packages_of_the_lake() -> None:
    code = (
        "import sys; import query.handler; "
        "print([n for n in ('pyarrow', 'duckdb', 'numpy', 'pandas') if n in sys.modules])"
    )

    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(SOURCES)},
    )

    assert run.stdout.strip() == "[]", run.stderr
