"""An HTTP API: its routes, the event a function gets and what becomes of its answer. Pure.

Sources: "Create routes for HTTP APIs in API Gateway" and "Create AWS Lambda proxy integrations
for HTTP APIs in API Gateway" (payload format 2.0) in the API Gateway developer guide.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from eventstream.local.cors import Cors

_OF_THE_CONNECTION = frozenset({"connection", "content-length", "transfer-encoding"})
_TEXT_TYPES = frozenset({"application/json", "application/xml", "application/javascript"})


@dataclass(frozen=True)
class Route:
    """A route and the function behind it.

    Attributes
    ----------
    key
        ``POST /events``, ``ANY /{proxy+}`` or ``$default``.
    rate, burst
        Its throttle; ``None`` for none.
    """

    key: str
    function: str
    timeout_s: float = 30.0
    rate: float | None = None
    burst: int | None = None

    @property
    def method(self) -> str:
        """HTTP method, or ``ANY``."""
        return self.key.split(" ", 1)[0] if " " in self.key else "ANY"

    @property
    def path(self) -> str:
        """Path with its variables."""
        return self.key.split(" ", 1)[1] if " " in self.key else "/{proxy+}"

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """Return the path's variables when the route takes the request."""
        if self.key == "$default":
            return {}
        if self.method not in {"ANY", method}:
            return None
        found = re.fullmatch(_pattern(self.path), path, re.DOTALL)
        return None if found is None else found.groupdict()

    @property
    def specificity(self) -> tuple[bool, bool, int, bool]:
        """Order of preference: full paths before greedy ones before ``$default``."""
        segments = self.path.strip("/").split("/")
        literal = sum(not segment.startswith("{") for segment in segments)
        return self.key != "$default", "+}" not in self.path, literal, self.method != "ANY"


def _pattern(path: str) -> str:
    parts = re.split(r"(\{[^}]+\})", path)
    return "".join(_part(part) for part in parts)


def _part(part: str) -> str:
    if not part.startswith("{"):
        return re.escape(part)
    name = part[1:-1]
    return f"(?P<{name[:-1]}>.+)" if name.endswith("+") else f"(?P<{name}>[^/]+)"


@dataclass(frozen=True)
class Request:
    """A request as it came in.

    Attributes
    ----------
    raw_path
        Path as on the wire, percent-encoded.
    headers
        Names in any case, as often as they came.
    """

    method: str
    raw_path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    client_ip: str
    id: str
    at: datetime

    def header(self, name: str) -> str | None:
        """Return a header by its lower-case name, several joined by commas."""
        return self.merged_headers().get(name)

    def merged_headers(self) -> dict[str, str]:
        """Return the headers by lower-case name, several of a name joined by commas."""
        return _joined((name.lower(), value) for name, value in self.headers)

    @property
    def path(self) -> str:
        """The decoded path; ``%25`` alone stays, as API Gateway leaves it."""
        return "%25".join(unquote(part) for part in self.raw_path.split("%25"))


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


@dataclass(frozen=True)
class Answer:
    """An answer to a request; header names in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cookies: tuple[str, ...] = ()


def message(status: int, text: str) -> Answer:
    """Return an answer that API Gateway gives by itself."""
    body = json.dumps({"message": text}, separators=(",", ":")).encode()
    return Answer(status, {"content-type": "application/json"}, body)


@dataclass(frozen=True)
class HttpApi:
    """An HTTP API with its routes."""

    id: str
    routes: tuple[Route, ...]
    cors: Cors | None = None
    account_id: str = "000000000000"
    stage: str = "$default"

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the route that takes a request, and the variables of its path."""
        found = [
            (route, variables)
            for route in self.routes
            if (variables := route.match(method, path)) is not None
        ]
        return max(found, key=lambda each: each[0].specificity, default=None)

    def event(self, route: Route, variables: Mapping[str, str], request: Request) -> dict[str, Any]:
        """Return the event of payload format 2.0 that the route's function gets."""
        headers = request.merged_headers()
        cookies = headers.pop("cookie", None)
        text, encoded = _body(request)
        domain = headers.get("host", f"{self.id}.execute-api.localhost")
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": route.key,
            "rawPath": request.path,
            "rawQueryString": request.query,
            "headers": {
                **headers,
                "x-forwarded-for": request.client_ip,
                "x-forwarded-proto": "http",
            },
            "requestContext": {
                "accountId": self.account_id,
                "apiId": self.id,
                "domainName": domain,
                "domainPrefix": domain.split(".", 1)[0],
                "http": {
                    "method": request.method,
                    "path": request.path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": request.client_ip,
                    "userAgent": headers.get("user-agent", ""),
                },
                "requestId": request.id,
                "routeKey": route.key,
                "stage": self.stage,
                "time": f"{request.at.astimezone(UTC):%d/%b/%Y:%H:%M:%S +0000}",
                "timeEpoch": int(request.at.timestamp() * 1000),
            },
            "isBase64Encoded": encoded,
        }
        if cookies is not None:
            event["cookies"] = [each.strip() for each in cookies.split(";")]
        if request.query:
            pairs = parse_qsl(request.query, keep_blank_values=True)
            event["queryStringParameters"] = _joined(pairs)
        if variables:
            event["pathParameters"] = dict(variables)
        if request.body:
            event["body"] = text
        return event


def _body(request: Request) -> tuple[str, bool]:
    """Return the body as text, and whether it is base64: everything but plain text is."""
    kind = (request.header("content-type") or "").split(";", 1)[0].strip().lower()
    is_text = kind.startswith("text/") or kind in _TEXT_TYPES
    if is_text and request.header("content-encoding") in {None, "identity"}:
        try:
            return request.body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(request.body).decode(), True


def answer(result: Any) -> Answer:  # noqa: ANN401 - a function returns anything
    """Turn what a function returned into the answer of payload format 2.0.

    Without a ``statusCode`` the result itself is the body of a 200. A result that is no answer
    gives 500, without detail.
    """
    if not isinstance(result, dict) or "statusCode" not in result:
        body = result if isinstance(result, str) else json.dumps(result)
        return Answer(200, {"content-type": "application/json"}, body.encode())
    try:
        given = (result.get("headers") or {}).items()
        named = {str(name).lower(): _text(value) for name, value in given}
        headers = {name: value for name, value in named.items() if name not in _OF_THE_CONNECTION}
        return Answer(
            status=int(result["statusCode"]),
            headers={"content-type": "application/json", **headers},
            body=_answer_body(result),
            cookies=tuple(str(cookie) for cookie in result.get("cookies") or ()),
        )
    except (TypeError, ValueError, AttributeError, binascii.Error):
        return message(500, "Internal Server Error")


def _answer_body(result: Mapping[str, Any]) -> bytes:
    body = result.get("body") or ""
    if not isinstance(body, str):
        raise TypeError
    return base64.b64decode(body, validate=True) if result.get("isBase64Encoded") else body.encode()


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
