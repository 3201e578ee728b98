from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto import mock_aws
from moto.core.botocore_stubber import MockRawResponse

from common.adapters.kinesis import KinesisSink
from common.observability import metrics
from fakes.ingest_builders import NOON, LambdaContext, a_gateway_event
from fakes.ingest_client import Post, posting_to
from fakes.stream import Fault, MemorySink
from ingest import handler
from ingest.payload import MAX_BODY_BYTES

SOURCES = Path(__file__).parents[3] / "src"
LAMBDA_ANSWER_BYTES = 6 * 1024 * 1024


def test_an_event_is_accepted_once_it_is_on_the_stream(post: Post, sink: MemorySink) -> None:
    answer = post({"event_type": "page_view", "user_id": "u1"})

    [event] = sink.events()
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.body == {
        "event_id": event["event_id"],
        "status": "accepted",
        "request_id": "r-1",
    }
    assert event["received_at"].startswith("2026-02-20T12:00:00")


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="plain"),
        pytest.param({"headers": {"content-type": "text/plain"}}, id="text/plain"),
        pytest.param({"headers": {"content-type": "application/x-www-form-urlencoded"}}, id="form"),
        pytest.param({"path": "/events/"}, id="trailing slash"),
        pytest.param({"path": "/prod/events", "stage": "prod"}, id="stage"),
    ],
)
def test_a_body_is_json_whatever_its_label(
    post: Post, sink: MemorySink, fields: dict[str, Any]
) -> None:
    assert post({"event_type": "x"}, **fields).status == 200
    assert len(sink.events()) == 1


def test_a_body_in_base64_is_decoded(post: Post, sink: MemorySink) -> None:
    assert post('{"event_type":"x","user_id":"ü"}'.encode()).status == 200
    assert [event["user_id"] for event in sink.events()] == ["ü"]


def test_a_body_that_only_claims_to_be_base64_is_refused(post: Post) -> None:
    event = a_gateway_event("{}") | {"isBase64Encoded": True}

    assert handler.lambda_handler(event, LambdaContext())["statusCode"] == 400


@pytest.mark.parametrize("path", ["/events", "/events/batch", "/events/batch/"])
def test_a_batch_is_accounted_for_event_by_event(post: Post, sink: MemorySink, path: str) -> None:
    answer = post([{"event_type": "x", "event_id": "a"}, {"event_id": "b"}, 7], path)

    assert answer.status == 207
    assert answer.body["accepted"] == 1
    assert answer.body["rejected"] == 2
    assert answer.body["retry"] == 0
    assert [(r["event_id"], r["status"]) for r in answer.body["results"]] == [
        ("a", "accepted"),
        ("b", "rejected"),
        (None, "rejected"),
    ]
    assert answer.body["results"][1]["error"] == {
        "field": "event_type",
        "rule": "missing",
        "message": "event_type is required",
    }
    assert [event["event_id"] for event in sink.events()] == ["a"]


@pytest.mark.parametrize(
    ("body", "path", "status", "rule"),
    [
        pytest.param("{", "/events", 400, "bad_json", id="no JSON"),
        pytest.param("", "/events", 400, "empty", id="no body"),
        pytest.param('{"event_type":"x","latency_ms":NaN}', "/events", 400, "not_finite", id="NaN"),
        pytest.param('{"type":"x","type":"x"}', "/events", 400, "duplicate_key", id="key twice"),
        pytest.param("[" * 200_000, "/events", 400, "too_deep", id="deep"),
        pytest.param("[]", "/events/batch", 400, "empty", id="empty batch"),
        pytest.param("7", "/events/batch", 400, "wrong_type", id="number"),
        pytest.param('{"a":1}', "/events/1st", 400, "bad_format", id="type in path"),
        pytest.param(f"[{'7,' * 5000}7]", "/events", 413, "too_many_events", id="5,001 events"),
        pytest.param(" " * (4 * 2**20 + 1), "/events", 413, "body_too_large", id="over 4 MB"),
    ],
)  # fmt: skip
def test_a_refused_request_is_told_field_and_rule(
    post: Post, sink: MemorySink, *, body: str, path: str, status: int, rule: str
) -> None:
    answer = post(body, path)

    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["rule"] for error in answer.body["errors"]] == [rule]
    assert answer.body["code"] in {"invalid_request", "too_large"}
    assert answer.body["message"] == answer.body["errors"][0]["message"]
    assert sink.calls == []


def test_a_batch_without_a_valid_event_is_refused_with_the_reasons(post: Post) -> None:
    answer = post({"events": [{}, {"type": "1"}]}, "/events/batch")

    assert answer.status == 400
    assert (answer.body["code"], answer.body["rejected"]) == ("invalid_request", 2)
    assert [row["error"]["field"] for row in answer.body["results"]] == ["event_type", "type"]


@pytest.mark.parametrize("path", ["/event", "/events/a/b", "/", "/v1/unknown"])
def test_another_path_is_not_found(post: Post, path: str) -> None:
    answer = post({}, path)

    assert (answer.status, answer.body["code"]) == (404, "not_found")


def test_another_method_is_told_which_is_allowed(post: Post) -> None:
    answer = post("", "/events", method="GET")

    assert (answer.status, answer.body["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


def test_a_stream_that_takes_nothing_is_503_with_a_time_to_come_back(
    monkeypatch: pytest.MonkeyPatch, post: Post
) -> None:
    post = posting_to(MemorySink([Fault(whole="throttled")] * 6), monkeypatch)

    single = post({"event_type": "x", "event_id": "mine"})
    batch = post([{"event_type": "x"}, {"event_type": "y"}])

    for answer in (single, batch):
        assert (answer.status, answer.body["code"]) == (503, "throttled")
        assert 1 <= int(answer.headers["retry-after"]) <= 5
    assert single.body["event_id"] == "mine"
    assert (batch.body["accepted"], batch.body["retry"]) == (0, 2)
    assert all(row["event_id"] for row in batch.body["results"])


def test_an_event_outside_the_time_limits_is_told_them(post: Post) -> None:
    answer = post({"event_type": "x", "timestamp": "2026-02-10T12:00:00Z"})

    assert answer.status == 400
    assert [e["rule"] for e in answer.body["errors"]] == ["outside_time_limits"]
    assert "168 hours" in answer.body["detail"]


@pytest.mark.usefixtures("post")
def test_what_was_acknowledged_is_said_even_if_the_next_answer_is_unreadable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        calls.append(len(json.loads(request.body or b"")["Records"]))
        results = [{"SequenceNumber": "1", "ShardId": "s"}] * (calls[0] - 1)
        first = json.dumps({"Records": [{"ErrorCode": "InternalFailure"}, *results]}).encode()
        body = MockRawResponse(first if len(calls) == 1 else b"<html>")
        return AWSResponse(request.url, 200, {}, body)  # type: ignore[arg-type]

    calls: list[int] = []
    client = boto3.client(
        "kinesis", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    client.meta.events.register("before-send", send)
    post = posting_to(KinesisSink(client, "s"), monkeypatch)

    answer = post([{"event_type": "x"}] * 50, path="/events/batch")

    assert answer.status == 207
    assert calls == [8, 1, 1]
    assert answer.body["accepted"] > 0
    assert answer.body["retry"] == 50 - answer.body["accepted"] > 0
    assert all(row["event_id"] for row in answer.body["results"])


def test_an_idempotency_key_makes_a_repeated_request_the_same_events(
    post: Post, sink: MemorySink
) -> None:
    headers = {"Idempotency-Key": "order-77"}
    answers = [post({"event_type": "x"}, headers=headers) for _ in range(2)]

    assert answers[0].body["event_id"] == answers[1].body["event_id"]
    assert post({"event_type": "x"}, headers={"Idempotency-Key": ""}).status == 400
    assert len(sink.events()) == 2


def test_what_nobody_foresaw_fails_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def put(self, records: object) -> Any:
            raise RuntimeError("a bug")

    monkeypatch.setattr(metrics, "namespace", "EventStream")
    post = posting_to(Broken(), monkeypatch)

    with pytest.raises(RuntimeError):
        post({"event_type": "x"})


@pytest.mark.parametrize("letter", ["x", "\N{GRINNING FACE}", '"', "\\"])
def test_the_receipt_of_the_worst_batch_fits_into_lambdas_answer(post: Post, letter: str) -> None:
    name = letter * 64
    event = {"event_id": letter * 128, name: {name: "\x00"}}
    count = min(5000, MAX_BODY_BYTES // (len(as_bytes(event)) + 1))

    answer = post(as_bytes([event] * count))

    assert (answer.status, answer.body["rejected"]) == (400, count)
    assert answer.size_bytes < LAMBDA_ANSWER_BYTES


def as_bytes(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def test_a_full_batch_of_5000_is_taken_whole(post: Post, sink: MemorySink) -> None:
    events = [{"event_type": "x", "user_id": f"u{n}", "event_id": str(n)} for n in range(5000)]

    answer = post(events, "/events/batch")

    assert (answer.status, answer.body["accepted"]) == (200, 5000)
    assert {event["event_id"] for event in sink.events()} == {str(n) for n in range(5000)}


def test_the_deployed_wiring_puts_an_event_on_kinesis(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {
        "STREAM_NAME": "s",
        "PARTITION_BUCKETS": "64",
        "MAX_EVENT_AGE_HOURS": "168",
        "MAX_EVENT_FUTURE_MINUTES": "5",
        "ERROR_TYPES": "error,exception",
        "STREAM_ROUTES": "",
        "REQUIRE_API_KEY": "false",
        "KEYS_TABLE": "k",
        "SCHEMA_MODE": "observe",
        "STORE_CLIENT_IP": "truncated",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(metrics, "namespace", "EventStream")
    with mock_aws():
        client = boto3.client("kinesis")
        client.create_stream(StreamName="s", ShardCount=1)
        handler.deps.cache_clear()
        body = json.dumps({"event_type": "error"})
        answer = handler.lambda_handler(
            a_gateway_event(body, at=datetime.now(UTC)),
            LambdaContext(),
        )
        iterator = client.get_shard_iterator(
            StreamName="s", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        [record] = client.get_records(ShardIterator=iterator)["Records"]
        rules = handler.deps().rules
        handler.deps.cache_clear()

    event = json.loads(record["Data"])
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["event_id"] == event["event_id"]
    assert event["is_error"] is True
    assert rules.limits.max_age_hours == 168


def test_the_function_never_loads_what_it_does_not_need() -> None:
    code = (
        "import sys, ingest.handler;"
        "print([m for m in ('pyarrow','duckdb','numpy','pandas','aiohttp') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=SOURCES,
        env={"PYTHONPATH": str(SOURCES), "AWS_DEFAULT_REGION": "eu-central-1"},
        capture_output=True,
        text=True,
    )

    assert done.stdout.strip() == "[]", done.stderr


def test_the_receipt_time_is_the_gateways(post: Post, sink: MemorySink) -> None:
    post({"event_type": "x"}, at=NOON - timedelta(days=3))

    assert sink.events()[0]["received_at"].startswith("2026-02-17T12:00:00")
