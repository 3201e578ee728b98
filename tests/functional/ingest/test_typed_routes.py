"""Routes with the type in their path, as other front doors of Kinesis have them."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime

import pytest

from fakes.ingest_client import Answer, Post
from fakes.stream import MemorySink

USER_ACTIVITY = """\
curl -X POST "${API_URL}/events/user_activity" \\
  -H "Content-Type: application/json" \\
  -d '{
    "user_id": "user123",
    "action": "page_view",
    "timestamp": "2024-01-15T10:30:00Z",
    "metadata": {
      "page": "/products",
      "referrer": "google.com"
    }
  }'
"""
ORDER = """\
curl -X POST "${API_URL}/events/orders" \\
  -H "Content-Type: application/json" \\
  -d '{
    "order_id": "ORD-12345",
    "customer_id": "CUST-001",
    "type": "created",
    "items": [{"sku": "PROD-001", "quantity": 2}],
    "total_amount": 99.99,
    "currency": "USD"
  }'
"""
RECORDS = r"""
curl -X POST "${API_URL}/events/batch/user_activity" \
  -H "Content-Type: application/json" \
  -d '{
    "records": [
      {"data": "{\"user_id\": \"user1\", \"action\": \"login\"}", "partitionKey": "user1"},
      {"data": "{\"user_id\": \"user2\", \"action\": \"signup\"}", "partitionKey": "user2"}
    ]
  }'
"""
TODAY = datetime(2026, 11, 20, 9, tzinfo=UTC)


def run(post: Post, command: str, at: datetime = TODAY) -> Answer:
    """Post what a ``curl`` command would."""
    words = shlex.split(command)
    assert words[:3] == ["curl", "-X", "POST"]
    name, _, value = words[words.index("-H") + 1].partition(": ")
    path = words[3].removeprefix("${API_URL}")
    return post(words[words.index("-d") + 1], path, headers={name.lower(): value}, at=at)


def test_a_typed_event_keeps_the_action_as_a_property(post: Post, sink: MemorySink) -> None:
    on_its_day = datetime(2024, 1, 15, 10, 31, tzinfo=UTC)

    assert run(post, USER_ACTIVITY, on_its_day).status == 200
    [event] = sink.events()
    assert (event["event_type"], event["user_id"]) == ("user_activity", "user123")
    assert event["properties"] == {
        "action": "page_view",
        "page": "/products",
        "referrer": "google.com",
    }
    assert (event["page_path"], event["referrer"]) == ("/products", "google.com")
    assert event["timestamp"].startswith("2024-01-15T10:30:00")
    assert event["timestamp_source"] == "client"


def test_a_typed_event_of_years_ago_counts_when_it_came_and_keeps_what_it_said(
    post: Post, sink: MemorySink
) -> None:
    assert run(post, USER_ACTIVITY).status == 200
    [event] = sink.events()
    assert event["timestamp"] == event["received_at"]
    assert event["timestamp"].startswith("2026-11-20T09:00:00")
    assert event["original_timestamp"].startswith("2024-01-15T10:30:00")
    assert event["timestamp_source"] == "received"


@pytest.mark.parametrize("at", ["2023-11-20T09:00:00Z", "2026-11-20T09:05:01Z", 9_999_999_999_999])
def test_the_time_limits_hold_where_the_sender_names_the_type(post: Post, at: object) -> None:
    event = {"event_type": "x", "timestamp": at}

    assert post(event, at=TODAY).status == 400
    assert post({"timestamp": at}, "/events/x", at=TODAY).status == 200


def test_an_instant_that_nobody_could_mean_is_refused_there_too(post: Post) -> None:
    assert post({"timestamp": "9999-01-01T00:00:00Z"}, "/events/x").status == 400
    assert post({"timestamp": "yesterday"}, "/events/x").status == 400


def test_an_order_goes_into_properties_whole(post: Post, sink: MemorySink) -> None:
    assert run(post, ORDER).status == 200
    [event] = sink.events()
    assert event["event_type"] == "orders"
    assert event["properties"] == json.loads(shlex.split(ORDER)[-1])


def test_records_of_json_text_are_events(post: Post, sink: MemorySink) -> None:
    answer = run(post, RECORDS)

    assert (answer.status, answer.body["accepted"]) == (200, 2)
    assert {(e["user_id"], e["event_type"], e["properties"]["action"]) for e in sink.events()} == {
        ("user1", "user_activity", "login"),
        ("user2", "user_activity", "signup"),
    }
