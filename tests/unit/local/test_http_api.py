"""Payload format 2.0 and route selection, as the API Gateway developer guide has them."""

import base64
import gzip
from datetime import UTC, datetime
from typing import Any

import pytest

from eventstream.local.cors import Cors, without_cors
from eventstream.local.http_api import HttpApi, Request, Route, answer

ROUTES = tuple(
    Route(key, "f")
    for key in (
        "GET /health",
        "POST /events",
        "POST /events/batch",
        "POST /events/{proxy+}",
        "GET /events/{event_id}",
        "ANY /any",
        "GET /any",
    )
)
API = HttpApi("api", ROUTES)


def a_request(**other: Any) -> Request:
    settings: dict[str, Any] = {
        "method": "POST",
        "raw_path": "/events",
        "query": "",
        "headers": [("Content-Type", "application/json"), ("Host", "127.0.0.1:3000")],
        "body": b'{"a": 1}',
        "client_ip": "127.0.0.1",
        "id": "request-1",
        "at": datetime(2026, 11, 20, 9, 15, 0, tzinfo=UTC),
    }
    return Request(**{**settings, **other})


def an_event(**other: Any) -> dict[str, Any]:
    request = a_request(**other)
    found = API.match(request.method, request.path)
    assert found is not None
    return API.event(found[0], found[1], request)


# "Create routes for HTTP APIs": full matches before greedy ones, static before variable.
@pytest.mark.parametrize(
    ("method", "path", "key"),
    [
        ("POST", "/events", "POST /events"),
        ("POST", "/events/batch", "POST /events/batch"),
        ("POST", "/events/purchase", "POST /events/{proxy+}"),
        ("POST", "/events/batch/purchase", "POST /events/{proxy+}"),
        ("GET", "/events/abc", "GET /events/{event_id}"),
        ("GET", "/events/a\nb", "GET /events/{event_id}"),
        ("GET", "/any", "GET /any"),
        ("PUT", "/any", "ANY /any"),
    ],
)
def test_the_most_specific_route_takes_a_request(method: str, path: str, key: str) -> None:
    found = API.match(method, path)

    assert found is not None
    assert found[0].key == key


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/events"), ("POST", "/health"), ("GET", "/events/a/b")],
)
def test_a_request_without_a_route_is_not_taken(method: str, path: str) -> None:
    assert API.match(method, path) is None


def test_a_default_route_takes_what_no_other_does() -> None:
    api = HttpApi("api", (*ROUTES, Route("$default", "f")))

    found = api.match("DELETE", "/whatever")

    assert found is not None
    assert found[0].key == "$default"


def test_the_event_has_the_fields_of_format_2() -> None:
    event = an_event(
        raw_path="/events/a%20b%252F",
        query="a=1&a=2&b=",
        headers=[
            ("Content-Type", "application/json"),
            ("Host", "127.0.0.1:3000"),
            ("X-Twice", "1"),
            ("x-twice", "2"),
            ("User-Agent", "curl/8"),
            ("Cookie", "a=1; b=2"),
        ],
    )

    context = event.pop("requestContext")
    assert event == {
        "version": "2.0",
        "routeKey": "POST /events/{proxy+}",
        "rawPath": "/events/a b%252F",
        "rawQueryString": "a=1&a=2&b=",
        "cookies": ["a=1", "b=2"],
        "headers": {
            "content-type": "application/json",
            "host": "127.0.0.1:3000",
            "x-twice": "1,2",
            "user-agent": "curl/8",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-proto": "http",
        },
        "queryStringParameters": {"a": "1,2", "b": ""},
        "pathParameters": {"proxy": "a b%252F"},
        "body": '{"a": 1}',
        "isBase64Encoded": False,
    }
    assert context["http"] == {
        "method": "POST",
        "path": "/events/a b%252F",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "curl/8",
    }
    assert context["time"] == "20/Nov/2026:09:15:00 +0000"
    assert (context["timeEpoch"], context["requestId"]) == (1795166100000, "request-1")


@pytest.mark.parametrize(
    ("content_type", "encoding", "body", "is_base64"),
    [
        pytest.param("application/json", None, b"{}", False, id="JSON"),
        pytest.param("text/plain; charset=utf-8", None, b"{}", False, id="text"),
        pytest.param("application/json", "identity", b"{}", False, id="identity"),
        pytest.param("application/json", "gzip", gzip.compress(b"{}"), True, id="compressed JSON"),
        pytest.param("text/plain", None, gzip.compress(b"{}"), True, id="compressed, not said so"),
        pytest.param("application/x-www-form-urlencoded", None, b"a=1", True, id="form"),
        pytest.param(None, None, b"{}", True, id="no type"),
    ],
)
def test_a_body_that_is_not_plain_text_reaches_the_function_as_base64(
    content_type: str | None, encoding: str | None, body: bytes, is_base64: bool
) -> None:
    given = [("content-type", content_type), ("content-encoding", encoding)]
    headers = [(name, value) for name, value in given if value is not None]

    event = an_event(headers=headers, body=body)

    assert event["isBase64Encoded"] is is_base64
    found = event["body"]
    assert (base64.b64decode(found) if is_base64 else found.encode()) == body


def test_without_a_body_the_event_has_none() -> None:
    assert "body" not in an_event(body=b"")


def test_an_answer_is_taken_apart() -> None:
    found = answer(
        {
            "statusCode": 201,
            "headers": {"X-Count": 5, "Content-Type": "text/csv", "Content-Length": "999"},
            "cookies": ["a=1"],
            "body": "YQ==",
            "isBase64Encoded": True,
        }
    )

    assert (found.status, found.body, found.cookies) == (201, b"a", ("a=1",))
    assert found.headers == {"x-count": "5", "content-type": "text/csv"}


@pytest.mark.parametrize(
    ("returned", "body"), [({"a": 1}, b'{"a": 1}'), ("text", b"text"), (None, b"null")]
)
def test_a_result_without_a_status_is_the_body_of_a_200(returned: Any, body: bytes) -> None:
    found = answer(returned)

    assert (found.status, found.body) == (200, body)


@pytest.mark.parametrize(
    "returned",
    [
        {"statusCode": "many"},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "body": "?", "isBase64Encoded": True},
    ],
)
def test_a_result_that_is_no_answer_is_a_500_without_detail(returned: Any) -> None:
    found = answer(returned)

    assert (found.status, found.body) == (500, b'{"message":"Internal Server Error"}')


CORS = Cors(
    origins=("https://a.example", "https://b.example"),
    methods=("GET", "POST"),
    headers=("content-type",),
    expose=("retry-after",),
    max_age_s=60,
)


# "Configure CORS for HTTP APIs".
def test_a_preflight_of_an_allowed_origin_names_what_is_allowed() -> None:
    assert CORS.preflight("https://a.example") == {
        "access-control-allow-origin": "https://a.example",
        "access-control-allow-methods": "GET,POST",
        "access-control-allow-headers": "content-type",
        "access-control-max-age": "60",
        "vary": "origin",
    }


def test_an_answer_to_an_allowed_origin_says_so() -> None:
    assert CORS.on_answer("https://b.example") == {
        "access-control-allow-origin": "https://b.example",
        "access-control-expose-headers": "retry-after",
        "vary": "origin",
    }


@pytest.mark.parametrize("origin", [None, "https://c.example", "http://a.example", "null"])
def test_other_origins_get_no_cors_headers(origin: str | None) -> None:
    assert CORS.preflight(origin) == {}
    assert CORS.on_answer(origin) == {}


def test_a_star_allows_every_origin_and_a_scheme_every_host_of_it() -> None:
    assert Cors(("*",)).on_answer("https://x")["access-control-allow-origin"] == "*"
    https = Cors(("https://*",))
    assert https.on_answer("https://x")["access-control-allow-origin"] == "https://x"
    assert https.on_answer("http://x") == {}


def test_with_credentials_the_answer_allows_them() -> None:
    found = Cors(("https://a",), credentials=True).on_answer("https://a")

    assert found["access-control-allow-credentials"] == "true"


def test_the_functions_own_cors_headers_are_dropped() -> None:
    assert without_cors({"access-control-allow-origin": "*", "a": "b"}) == {"a": "b"}
