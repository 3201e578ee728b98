"""API keys at the sending routes: every place an SDK puts one, and no place it ends up in."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from common.access import Access
from common.errors import StoreError
from common.observability import logger, metrics
from fakes.api_keys import NOON, Clock, MemoryApiKeys, a_key
from fakes.ingest_builders import LambdaContext, a_gateway_event, a_world
from fakes.stream import MemorySink
from ingest import handler

SENDER_TEXT, SENDER = a_key(1)
READER_TEXT, READER = a_key(2, scopes=("query",))
PAGE_TEXT, PAGE = a_key(3, origins=("https://shop.example.com",))

NATIVE = {"event_type": "click"}
TRACK = {"type": "track", "event": "click", "userId": "u", "messageId": "m-1"}
AMPLITUDE = {"event_type": "click", "user_id": "user-1", "insert_id": "i-1"}
Post = Callable[..., dict[str, Any]]


@pytest.fixture
def store() -> MemoryApiKeys:
    made = MemoryApiKeys()
    for key in (SENDER, READER, PAGE):
        made.put(key)
    return made


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def post(store: MemoryApiKeys, sink: MemorySink, monkeypatch: pytest.MonkeyPatch) -> Post:
    made = a_world(sink, access=Access(store, required=True, now=Clock()))
    monkeypatch.setattr(metrics, "namespace", "EventStream")
    monkeypatch.setattr(handler, "deps", lambda: made)

    def call(path: str, body: object, query: object = None, **headers: str) -> dict[str, Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        event = a_gateway_event(json.dumps(body), path, headers=named)
        event["queryStringParameters"] = query
        return handler.lambda_handler(event, LambdaContext())  # type: ignore[arg-type]

    return call


def basic(key: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


WAYS: list[tuple[str, str, Callable[[str], dict[str, Any]]]] = [
    ("curl", "/events", lambda key: {"body": NATIVE, "authorization": f"Bearer {key}"}),
    ("x-api-key", "/events/batch", lambda key: {"body": [NATIVE], "x_api_key": key}),
    ("beacon", "/events", lambda key: {"body": NATIVE, "query": {"writeKey": key}}),
    (
        "segment on a server",
        "/v1/batch",
        lambda key: {"body": {"batch": [TRACK], "writeKey": key}, "authorization": basic(key)},
    ),
    ("segment in a page", "/v1/t", lambda key: {"body": {**TRACK, "writeKey": key}}),
    (
        "jitsu",
        "/api/s/track",
        lambda key: {"body": {**TRACK, "writeKey": "k:***"}, "x_write_key": key},
    ),
    ("amplitude", "/2/httpapi", lambda key: {"body": {"api_key": key, "events": [AMPLITUDE]}}),
]


@pytest.mark.parametrize(("path", "way"), [pytest.param(*rest, id=name) for name, *rest in WAYS])
def test_every_sdk_is_let_in_by_the_key_it_sends_its_way(
    post: Post, sink: MemorySink, path: str, way: Callable[[str], dict[str, Any]]
) -> None:
    assert post(path, **way("none"))["statusCode"] == 401
    assert post(path, **way(a_key(9)[0]))["statusCode"] == 401
    assert post(path, **way(READER_TEXT))["statusCode"] == 403
    assert sink.stored == []

    assert post(path, **way(SENDER_TEXT))["statusCode"] == 200
    [event] = sink.events()
    assert event["source"] == SENDER.id


def test_a_browser_key_sends_from_its_page_only(post: Post, sink: MemorySink) -> None:
    body = {**TRACK, "writeKey": PAGE_TEXT}

    assert post("/v1/t", body)["statusCode"] == 403
    assert post("/v1/t", body, origin="https://evil.example")["statusCode"] == 403
    assert sink.stored == []
    assert post("/v1/t", body, origin="https://shop.example.com")["statusCode"] == 200


def test_keys_that_cannot_be_read_are_a_503_and_nothing_is_accepted(
    post: Post, store: MemoryApiKeys, sink: MemorySink
) -> None:
    store.down = StoreError("dynamodb:GetItem failed")

    answer = post("/events", NATIVE, x_api_key=SENDER_TEXT)

    assert answer["statusCode"] == 503
    assert "retry-after" in answer["headers"]
    assert sink.stored == []


@pytest.mark.parametrize(("path", "way"), [pytest.param(*rest, id=name) for name, *rest in WAYS])
def test_an_sdk_finds_code_and_message_in_a_refusal(
    post: Post, path: str, way: Callable[[str], dict[str, Any]]
) -> None:
    body = json.loads(post(path, **way("none"))["body"])

    assert body["code"] in ("unauthorized", 401)
    assert "eventstream keys create" in body["message"]


def test_no_key_reaches_answer_stream_log_or_metric(
    post: Post,
    store: MemoryApiKeys,
    sink: MemorySink,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", log)
    monkeypatch.setattr(logger._logger, "level", logging.DEBUG)
    store.put(replace(a_key(4)[1], revoked_at=NOON))
    texts = [SENDER_TEXT, READER_TEXT, a_key(4)[0], a_key(9)[0], "es_sesame_open"]

    answers = [post(path, **way(text)) for _, path, way in WAYS for text in texts]
    # A rejected message is kept whole, for quarantine: without the key that it came with.
    rejected = {**TRACK, "userId": "", "event": None, "writeKey": SENDER_TEXT}
    answers.append(post("/v1/t", rejected))
    answers.append(post("/v1/t", {"type": "track", "writeKey": SENDER_TEXT}))
    logger.debug("the log is caught")

    printed = capsys.readouterr().out
    lines = b"\n".join(record.data for record in sink.stored).decode()
    assert sum(answer["statusCode"] == 200 for answer in answers) >= len(WAYS)
    assert "the log is caught" in log.getvalue()
    assert '"rejected"' in lines
    for text in texts:
        for said in (json.dumps(answers), lines, printed, log.getvalue()):
            assert text not in said
            assert text.split("_", 2)[-1] not in said
    blobs = [json.loads(line) for line in printed.splitlines() if "_aws" in line]
    told = [each["Dimensions"] for blob in blobs for each in blob["_aws"]["CloudWatchMetrics"]]
    assert told
    assert all(set(names) <= {"service"} for dimensions in told for names in dimensions)
