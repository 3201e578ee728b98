"""HTTP as our functions see it: one request, one response, one error body.

API Gateway's HTTP API (payload format 2.0) is translated here and nowhere else. Errors are
RFC 9457 problems that also carry ``code`` and ``message``, because client SDKs look for both.
"""

from __future__ import annotations

import base64
import binascii
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from common.domain.windows import from_ms, to_ms
from common.errors import (
    ConditionLostError,
    ConfigError,
    EventIndexOffError,
    EventNotSeenError,
    EventStreamError,
    ForbiddenError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    PoisonLineError,
    StoreError,
    ThrottledError,
    TooLargeError,
    UnauthorizedError,
)

STATUS: Mapping[type[EventStreamError], int] = {
    EventStreamError: 500,
    InvalidRequestError: 400,
    TooLargeError: 413,
    UnauthorizedError: 401,
    ForbiddenError: 403,
    NotFoundError: 404,
    EventNotSeenError: 404,
    EventIndexOffError: 404,
    MethodNotAllowedError: 405,
    ThrottledError: 503,
    StoreError: 503,
    ConditionLostError: 503,
    PoisonLineError: 500,
    ConfigError: 500,
}
"""Status of each error; a test fails when a class has no row."""

_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}

CHALLENGE = 'Bearer realm="eventstream"'
"""What a 401 asks for; ``Basic``, which is taken too, would make browsers ask for a password."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, decoded from the gateway's event."""

    method: str
    path: str
    """Without the stage and without a trailing slash; ``/`` for the root."""
    body: bytes
    received_at: datetime
    """When the gateway took the request, in UTC."""
    request_id: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    source_ip: str | None = None

    @classmethod
    def from_gateway(cls, event: Mapping[str, Any]) -> Request:
        """Read an HTTP API event of payload format 2.0.

        Raises
        ------
        InvalidRequestError
            The body is said to be base64 and is not.
        """
        context = event["requestContext"]
        epoch_ms = context.get("timeEpoch")
        return cls(
            method=context["http"]["method"],
            path=_path(event, context),
            body=_body(event),
            received_at=from_ms(epoch_ms or to_ms(datetime.now(UTC))),
            request_id=context.get("requestId", ""),
            query=event.get("queryStringParameters") or {},
            headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
            source_ip=context["http"].get("sourceIp"),
        )


def _path(event: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    path: str = event.get("rawPath") or context["http"].get("path") or "/"
    stage = context.get("stage", "$default")
    if stage != "$default":
        path = path.removeprefix(f"/{stage}")
    return path.rstrip("/") or "/"


def _body(event: Mapping[str, Any]) -> bytes:
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(text).encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequestError("the body is marked as base64 but is not base64") from None


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response with a JSON body."""

    status: int
    body: Mapping[str, Any] | Sequence[Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def to_gateway(self) -> dict[str, Any]:
        """Return the answer in API Gateway's shape."""
        return {
            "statusCode": self.status,
            "headers": {"content-type": self.content_type, **self.headers},
            "body": json.dumps(self.body, separators=(",", ":"), ensure_ascii=False),
        }


def problem(error: EventStreamError, request_id: str) -> Response:
    """Tell a client what went wrong: the field and the rule, never the value it sent.

    A 503 carries ``Retry-After`` of 1 to 5 seconds, drawn at random so that clients spread out.
    """
    status = STATUS[type(error)]
    message = error.message if status < 500 or status == 503 else "something went wrong on our side"
    body = {
        "type": f"urn:eventstream:{error.code}",
        "title": _TITLES[status],
        "status": status,
        "detail": message,
        "code": error.code,
        "message": message,
        "errors": [each.as_dict() for each in error.errors],
        "request_id": request_id,
    }
    return Response(status, body, _headers(status), content_type="application/problem+json")


def _headers(status: int) -> dict[str, str]:
    if status == 503:
        return {"retry-after": str(random.randint(1, 5))}  # noqa: S311
    return {"www-authenticate": CHALLENGE} if status == 401 else {}


def answer(event: Mapping[str, Any], route: Callable[[Request], Response]) -> dict[str, Any]:
    """Run ``route`` on a gateway event and turn our own errors into problems.

    Errors that are not ours pass: the function fails, the gateway answers 500 without detail,
    and the log has the stack trace.
    """
    request_id = event["requestContext"].get("requestId", "")
    try:
        return route(Request.from_gateway(event)).to_gateway()
    except EventStreamError as error:
        return problem(error, request_id).to_gateway()
