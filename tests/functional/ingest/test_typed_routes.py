from __future__ import annotations

import json
from datetime import UTC, datetime

from fakes.ingest_client import Post
from fakes.stream import MemorySink

USER_ACTIVITY = """{
    "user_id": "user123",
    "action": "page_view",
    "timestamp": "2024-01-15T10:30:00Z",
    "metadata": {
      "page": "/products",
      "referrer": "google.com"
    }
  }"""
ORDER = """{
    "order_id": "ORD-12345",
    "customer_id": "CUST-001",
    "type": "created",
    "items": [{"sku": "PROD-001", "quantity": 2}],
    "total_amount": 99.99,
    "currency": "USD"
  }"""
RECORDS = r"""{
    "records": [
      {"data": "{\"user_id\": \"user1\", \"action\": \"login\"}", "partitionKey": "user1"},
      {"data": "{\"user_id\": \"user2\", \"action\": \"signup\"}", "partitionKey": "user2"}
    ]
  }"""


def test_a_typed_event_keeps_the_action_as_a_property(post: Post, sink: MemorySink) -> None:
    on_its_day = datetime(2024, 1, 15, 10, 31, tzinfo=UTC)

    assert post(USER_ACTIVITY, "/events/user_activity", at=on_its_day).status == 200
    [event] = sink.events()
    assert (event["event_type"], event["user_id"]) == ("user_activity", "user123")
    assert event["properties"] == {
        "action": "page_view",
        "page": "/products",
        "referrer": "google.com",
    }
    assert (event["page_path"], event["referrer"]) == ("/products", "google.com")
    assert event["timestamp"].startswith("2024-01-15T10:30:00")


def test_a_typed_event_of_years_ago_is_told_the_limit(post: Post) -> None:
    answer = post(USER_ACTIVITY, "/events/user_activity")

    assert answer.status == 400
    assert "168 hours" in answer.body["message"]


def test_an_order_goes_into_properties_whole(post: Post, sink: MemorySink) -> None:
    assert post(ORDER, "/events/orders").status == 200
    [event] = sink.events()
    assert event["event_type"] == "orders"
    assert event["properties"] == json.loads(ORDER)


def test_records_of_json_text_are_events(post: Post, sink: MemorySink) -> None:
    answer = post(RECORDS, "/events/batch/user_activity")

    assert (answer.status, answer.body["accepted"]) == (200, 2)
    assert {(e["user_id"], e["event_type"], e["properties"]["action"]) for e in sink.events()} == {
        ("user1", "user_activity", "login"),
        ("user2", "user_activity", "signup"),
    }
