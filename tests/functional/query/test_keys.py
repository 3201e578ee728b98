"""API keys at the reading routes: answers, log and metrics of the deployed handler."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from common.access import Access
from common.adapters.api_keys import key_item
from common.errors import StoreError
from common.observability import logger, metrics
from contract.tables import create_aggregates_table, create_keys_table
from fakes.api_keys import NOON, Clock, MemoryApiKeys, a_key
from fakes.ingest_builders import LambdaContext
from fakes.readings import MemoryReadings
from query import handler
from query.service import Deps

Get = Callable[..., dict[str, Any]]
READER_TEXT, READER = a_key(1, scopes=("query",))
SENDER_TEXT, SENDER = a_key(2, scopes=("ingest",))


def gateway_event(path: str, headers: dict[str, str], query: dict[str, str]) -> dict[str, Any]:
    return {
        "version": "2.0",
        "rawPath": path,
        "headers": headers,
        "queryStringParameters": query,
        "requestContext": {
            "http": {"method": "GET", "path": path, "sourceIp": "203.0.113.9"},
            "requestId": "r-1",
            "stage": "$default",
            "timeEpoch": 1_771_597_800_123,
        },
        "isBase64Encoded": False,
    }


@pytest.fixture
def store() -> MemoryApiKeys:
    made = MemoryApiKeys()
    for key in (READER, SENDER):
        made.put(key)
    return made


@pytest.fixture
def get(store: MemoryApiKeys, monkeypatch: pytest.MonkeyPatch) -> Get:
    access = Access(store, required=True, now=Clock())
    made = Deps(MemoryReadings(), now=lambda: NOON, access=access)
    monkeypatch.setattr(metrics, "namespace", "EventStream")
    monkeypatch.setattr(handler, "deps", lambda: made)

    def call(path: str, key: str | None = None, **query: str) -> dict[str, Any]:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return handler.lambda_handler(gateway_event(path, headers, query), LambdaContext())  # type: ignore[arg-type]

    return call


CLOSED = sorted(set(handler.ROUTES) - handler.OPEN_ROUTES)


@pytest.mark.parametrize("path", CLOSED)
def test_a_reading_route_wants_a_key_of_scope_query(get: Get, path: str) -> None:
    # Each route refuses what it does not know, once the key has let the request through to it.
    assert get(path, no_such="x")["statusCode"] == 401
    assert get(path, SENDER_TEXT, no_such="x")["statusCode"] == 403
    assert get(path, READER_TEXT, no_such="x")["statusCode"] == 400


def test_a_key_of_scope_query_reads(get: Get) -> None:
    assert get("/metrics", READER_TEXT)["statusCode"] == 200


def test_health_is_open(get: Get) -> None:
    assert get("/health")["statusCode"] == 200
    assert "/health" not in CLOSED


def test_a_401_is_a_problem_that_says_what_to_do(get: Get) -> None:
    answer = get("/metrics")
    body = json.loads(answer["body"])

    assert answer["headers"]["content-type"] == "application/problem+json"
    assert answer["headers"]["www-authenticate"] == 'Bearer realm="eventstream"'
    assert (body["status"], body["code"], body["title"]) == (401, "unauthorized", "Unauthorized")
    assert "eventstream keys create" in body["message"]
    assert body["detail"] == body["message"]


def test_a_403_is_a_problem_that_says_what_is_missing(get: Get) -> None:
    answer = get("/runs", SENDER_TEXT)
    body = json.loads(answer["body"])

    assert (body["status"], body["code"], body["title"]) == (403, "forbidden", "Forbidden")
    assert "scope query" in body["message"]
    assert "www-authenticate" not in answer["headers"]


def test_a_key_in_the_query_string_is_no_parameter_of_the_route(get: Get) -> None:
    assert get("/runs", api_key=READER_TEXT)["statusCode"] == 200
    assert get("/runs", READER_TEXT, no_such="x")["statusCode"] == 400


def test_keys_that_cannot_be_read_are_a_503(get: Get, store: MemoryApiKeys) -> None:
    store.down = StoreError("dynamodb:GetItem failed")

    answer = get("/metrics", READER_TEXT)

    assert answer["statusCode"] == 503
    assert 1 <= int(answer["headers"]["retry-after"]) <= 5


def test_no_key_reaches_answer_log_or_metric(
    get: Get,
    store: MemoryApiKeys,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", log)
    monkeypatch.setattr(logger._logger, "level", logging.DEBUG)
    store.put(replace(a_key(4, scopes=("query",))[1], revoked_at=NOON))
    texts = [READER_TEXT, SENDER_TEXT, a_key(3)[0], a_key(4)[0], "es_sesame_open", "abracadabra"]

    answers = [get("/metrics", text) for text in texts]
    answers += [get("/metrics", api_key=text) for text in texts]
    logger.debug("the log is caught")

    printed = capsys.readouterr().out
    said = json.dumps(answers) + printed + log.getvalue()
    assert "QueriesAnswered" in printed
    assert "the log is caught" in log.getvalue()
    for text in texts:
        assert text not in said
        assert text.split("_", 2)[-1] not in said
    blobs = [json.loads(line) for line in printed.splitlines() if "_aws" in line]
    told = [each["Dimensions"] for blob in blobs for each in blob["_aws"]["CloudWatchMetrics"]]
    assert told
    assert all(set(names) <= {"service"} for dimensions in told for names in dimensions)


def test_the_deployed_wiring_asks_the_table_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {
        "HOT_TABLE": "hot",
        "AGGREGATES_TABLE": "aggregates",
        "REQUIRE_API_KEY": "true",
        "KEYS_TABLE": "keys",
        "SESSIONS": "on",
        "SESSIONS_TABLE": "sessions",
        "SESSION_GAP_MINUTES": "30",
        "SESSION_RETENTION_DAYS": "7",
        "EVENT_INDEX": "off",
        "EVENT_INDEX_TABLE": "event-index",
        "EVENT_INDEX_DAYS": "14",
        "MAX_EVENT_AGE_HOURS": "168",
        "MAXIMUM_RECORD_AGE_SECONDS": "21600",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(metrics, "namespace", "EventStream")
    with mock_aws():
        client = boto3.client("dynamodb")
        create_aggregates_table(client, "aggregates")
        create_keys_table(client, "keys")
        client.put_item(TableName="keys", Item=key_item(READER))
        handler.deps.cache_clear()
        answers = [
            handler.lambda_handler(gateway_event("/runs", headers, {}), LambdaContext())  # type: ignore[arg-type]
            for headers in ({}, {"x-api-key": READER_TEXT})
        ]
        handler.deps.cache_clear()

    assert [answer["statusCode"] for answer in answers] == [401, 200]
