from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from common.errors import EventStreamError, FieldError, InvalidRequestError, ThrottledError
from common.http import STATUS, Request, Response, answer, problem


def gateway_event(**changes: Any) -> dict[str, Any]:
    event = {
        "version": "2.0",
        "rawPath": "/events",
        "headers": {"Content-Type": "application/json"},
        "requestContext": {
            "http": {"method": "POST", "path": "/events", "sourceIp": "203.0.113.9"},
            "requestId": "r-1",
            "stage": "$default",
            "timeEpoch": 1_771_597_800_123,
        },
        "body": "{}",
        "isBase64Encoded": False,
    }
    return event | changes


def every_error(
    base: type[EventStreamError] = EventStreamError,
) -> Iterator[type[EventStreamError]]:
    yield base
    for child in base.__subclasses__():
        yield from every_error(child)


def test_every_error_has_a_status() -> None:
    assert set(every_error()) == set(STATUS)


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [error.code for error in every_error()]

    assert len(codes) == len(set(codes))


def test_reads_what_the_gateway_sends() -> None:
    request = Request.from_gateway(gateway_event(rawPath="/events/"))

    assert (request.method, request.path, request.body) == ("POST", "/events", b"{}")
    assert request.headers["content-type"] == "application/json"
    assert request.received_at.isoformat() == "2026-02-20T14:30:00.123000+00:00"


def test_decodes_a_base64_body() -> None:
    body = base64.b64encode(b"\x1f\x8b\x00").decode()

    assert (
        Request.from_gateway(gateway_event(body=body, isBase64Encoded=True)).body == b"\x1f\x8b\x00"
    )


def test_refuses_a_body_that_is_not_the_base64_it_claims_to_be() -> None:
    answered = answer(gateway_event(body="%%%", isBase64Encoded=True), lambda _: Response(200, {}))

    assert answered["statusCode"] == 400


def test_a_problem_names_field_and_rule() -> None:
    error = InvalidRequestError(
        "the event is not valid", errors=[FieldError("user_id", "too_long", "at most 256")]
    )

    response = problem(error, "r-1")

    assert response.status == 400
    assert response.content_type == "application/problem+json"
    assert response.body["errors"] == [
        {"field": "user_id", "rule": "too_long", "message": "at most 256"}
    ]
    assert response.body["code"] == "invalid_request"
    assert response.body["message"] == response.body["detail"]


def test_a_throttled_client_is_told_when_to_come_back() -> None:
    waits = {int(problem(ThrottledError("busy"), "r").headers["retry-after"]) for _ in range(200)}

    assert waits == {1, 2, 3, 4, 5}


def test_a_fault_of_ours_tells_the_client_nothing_of_it() -> None:
    response = problem(EventStreamError("table xyz has no key"), "r")

    assert response.status == 500
    assert "xyz" not in json.dumps(response.body)


def test_a_bug_is_not_dressed_up_as_an_answer() -> None:
    def buggy(_: Request) -> Response:
        raise KeyError("x")

    with pytest.raises(KeyError):
        answer(gateway_event(), buggy)
