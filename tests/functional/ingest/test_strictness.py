"""What strict JSON refuses is refused on every route, by its rule and without its value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fakes.clients import CLIENTS, LIBRARIES, Client
from fakes.ingest_client import Answer, Post
from fakes.stream import MemorySink

SECRET = "s3cr3t"
EVERY_CLIENT = pytest.mark.parametrize(
    "client", [pytest.param(c, id=n) for n, c in CLIENTS.items()]
)


def posted(post: Post, client: Client, value: str, **changes: Any) -> Answer:
    request = client(value)
    return post(changes.get("body", request.body), request.path, headers=dict(request.headers))


def rules_in(answer: Answer) -> set[str]:
    """Collect the rules that an answer names, for the whole or for its events."""
    rows = [*answer.body.get("results", [])]
    rejected = answer.body.get("rejected")
    rows += rejected if isinstance(rejected, list) else []
    told = [*answer.body.get("errors", []), *(row["error"] for row in rows if "error" in row)]
    return {error["rule"] for error in told}


@EVERY_CLIENT
def test_a_good_value_is_accepted(post: Post, sink: MemorySink, client: Client) -> None:
    assert posted(post, client, '"good"').status == 200
    [event] = sink.events()
    assert event["properties"]["v"] == "good"
    assert event["event_type"] == "x"


@EVERY_CLIENT
@pytest.mark.parametrize(
    ("value", "rule"),
    [
        pytest.param(f'{{"{SECRET}":1,"{SECRET}":2}}', "duplicate_key", id="key twice"),
        pytest.param("NaN", "not_finite", id="NaN"),
        pytest.param("-Infinity", "not_finite", id="-Infinity"),
        pytest.param("1e999", "not_finite", id="1e999"),
        pytest.param(f'"{SECRET}\\ud800"', "control_character", id="lone surrogate"),
        pytest.param(f'"{SECRET}\\u0000"', "control_character", id="NUL"),
        pytest.param(f'"{SECRET}\\u0008"', "control_character", id="backspace"),
        pytest.param("[" * 200_000, "too_deep", id="200k deep, never closed"),
        pytest.param("[" * 200_000 + "]" * 200_000, "too_deep", id="200k deep"),
        pytest.param("[" * 25 + "]" * 25, "too_deep", id="25 deep"),
        pytest.param("7" * 5_000, "out_of_range", id="5,000 digits"),
        pytest.param("9223372036854775808", "out_of_range", id="2**63"),
        pytest.param(f'"{SECRET * 1400}"', "too_long", id="long text"),
        pytest.param("[" + "7," * 5_000 + "7]", "too_many_values", id="5,001 values"),
        pytest.param(f'"{SECRET}', "bad_json", id="text without end"),
        pytest.param("'s3cr3t'", "bad_json", id="wrong quotation marks"),
    ],
)
def test_a_bad_value_is_refused_by_its_rule(
    post: Post, sink: MemorySink, client: Client, value: str, rule: str
) -> None:
    answer = posted(post, client, value)

    assert answer.status == 400
    assert rules_in(answer) == {rule}
    assert answer.body["code"]
    assert answer.body["message"]
    assert events_in(sink) == []
    told = json.dumps(answer.body, ensure_ascii=False)
    if rule != "duplicate_key":  # names the key
        assert SECRET not in told
    assert "777" not in told


def events_in(sink: MemorySink) -> list[dict[str, Any]]:
    """Return the events on the stream, without the rejected ones on their way to quarantine."""
    return [event for event in sink.events() if "rejected" not in event]


@EVERY_CLIENT
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp037"])
def test_another_encoding_than_plain_utf8_is_refused(
    post: Post, sink: MemorySink, client: Client, encoding: str
) -> None:
    body = client('"ü"').body.decode().encode(encoding)

    answer = posted(post, client, "1", body=body)

    assert answer.status == 400
    assert rules_in(answer) == {"bad_encoding"}
    assert events_in(sink) == []


@pytest.mark.parametrize(
    ("path", "shape", "item", "status"),
    [
        pytest.param("/events", "[?]", "7", 413, id="array"),
        pytest.param("/events", "[?]", "{}", 413, id="empty objects"),
        pytest.param("/events/batch", '{"events":[?]}', "[]", 413, id="empty arrays"),
        pytest.param("/events/batch/x", '{"records":[?]}', '{"data":"{}"}', 413, id="records"),
        pytest.param("/v1/batch", '{"batch":[?]}', "{}", 400, id="messages"),
        pytest.param("/2/httpapi", '{"events":[?]}', "{}", 400, id="amplitude"),
        pytest.param("/events", '{"type":"x","context":{"v":[?]}}', "[]", 400, id="in an event"),
        pytest.param("/v1/track", '{"event":"x","context":{"v":[?]}}', "[]", 400, id="in a track"),
    ],
)
def test_a_huge_array_is_refused_by_its_limit(
    post: Post, path: str, shape: str, item: str, status: int
) -> None:
    many = ",".join([item] * (3_000_000 // len(item + ",")))

    answer = post(shape.replace("?", many).encode(), path)

    assert answer.status == status
    assert rules_in(answer) == {"too_many_values" if "context" in shape else "too_many_events"}


def test_very_many_lines_are_refused_by_their_limit(post: Post) -> None:
    answer = post(b"{}\n" * 1_000_000, "/events")

    assert (answer.status, rules_in(answer)) == (413, {"too_many_events"})


TIMES = ["9999-12-31T23:59:59-01:00", "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00+14:00"]


@pytest.mark.parametrize("at", TIMES)
@pytest.mark.parametrize(
    ("path", "event"),
    [
        ("/events", {"event_type": "x", "timestamp": "?"}),
        ("/events/x", {"timestamp": "?"}),
        ("/v1/track", {"event": "x", "timestamp": "?"}),
        ("/v1/batch", {"batch": [{"type": "page", "originalTimestamp": "?"}]}),
        ("/2/httpapi", {"events": [{"event_type": "x", "time": "?"}]}),
    ],
)
def test_an_instant_at_the_end_of_the_calendar_is_refused(
    post: Post, sink: MemorySink, path: str, event: dict[str, Any], at: str
) -> None:
    answer = post(json.dumps(event).replace("?", at), path)

    assert answer.status == 400
    assert rules_in(answer) <= {"out_of_range", "outside_time_limits"}
    assert at not in json.dumps(answer.body)
    assert events_in(sink) == []


@pytest.mark.parametrize("client", LIBRARIES.values(), ids=LIBRARIES)
def test_what_is_too_large_is_400_where_a_library_would_send_413_again(
    post: Post, client: Client
) -> None:
    answer = posted(post, client, "1", body=b" " * (4 * 2**20 + 1))

    assert (answer.status, rules_in(answer)) == (400, {"body_too_large"})
