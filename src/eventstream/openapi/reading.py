"""The operations that read, from the table of routes and the readers of their parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from common.domain.sessions import MAX_IDENTITY
from common.domain.windows import to_ms
from common.errors import InvalidRequestError
from eventstream.openapi import problems
from eventstream.openapi import reading_answers as answers
from eventstream.openapi.answers import Answer
from eventstream.openapi.examples import named
from eventstream.openapi.schemas import ref
from eventstream.openapi.sending import operation_id
from query import description, events, metrics_query, service, sessions
from query.handler import OPEN_ROUTES, ROUTES
from query.params import LATEST
from query.service import Deps

Json = dict[str, Any]

ANSWERS: Mapping[str, type[Answer]] = {
    "/metrics": answers.Series,
    "/event-types": answers.EventTypes,
    "/sessions": answers.Sessions,
    "/sessions/active": answers.ActiveSessions,
    events.PATH: answers.FoundEvents,
    "/anomalies": answers.Anomalies,
    "/runs": answers.Runs,
    "/health": answers.Health,
}
"""What each route answers."""

LIMITS: Mapping[str, tuple[int, int]] = {
    "/metrics": (metrics_query.MAX_POINTS, metrics_query.MAX_POINTS),
    "/event-types": (service.MAX_ROWS, service.MAX_ROWS),
    "/sessions": (sessions.DEFAULT_ROWS, sessions.MAX_ROWS),
    "/sessions/active": (sessions.DEFAULT_ROWS, sessions.MAX_PEOPLE),
    "/anomalies": (service.DEFAULT_ROWS, service.MAX_ROWS),
    "/runs": (service.DEFAULT_ROWS, service.MAX_ROWS),
}
"""Rows of a page: unless asked otherwise, and at most."""

_IDENTITY: Json = {"type": "string", "minLength": 1, "maxLength": MAX_IDENTITY}
_INSTANT: Json = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "integer", "minimum": 0, "maximum": to_ms(LATEST)},
    ]
}
_PARAMETERS: Mapping[str, tuple[str, Json]] = {
    "event_type": (
        "An event type; `*` is all types together, `_other` what a five-minute window counted "
        "beyond its types.",
        {"type": "string", "pattern": r"^([A-Za-z][A-Za-z0-9_.:\- ]{0,127}|\*|_other)$"},
    ),
    "metric": (
        "What to show.",
        {"type": "string", "enum": list(metrics_query.METRICS), "default": "count"},
    ),
    "granularity": (
        "Width of a point's window; a day is a UTC day.",
        {"type": "string", "enum": list(metrics_query.WIDTHS), "default": "1h"},
    ),
    "from": ("First instant, RFC 3339 with a zone or epoch milliseconds.", _INSTANT),
    "to": ("End, itself not included; now unless given.", _INSTANT),
    "cursor": ("The `next_cursor` of the page before.", {"type": "string"}),
    "user_id": ("Whose sessions.", _IDENTITY),
    "anonymous_id": ("Whose sessions, before they are known.", _IDENTITY),
    "session_id": ("The id of one session.", _IDENTITY),
    "event_id": (
        "The id of the event; a slash in it may be spelled `%2F`.",
        {"type": "string", "minLength": 1, "maxLength": events.MAX_ID},
    ),
    "source": ("Only what was sent by this source: the id of an API key, or `public`.", _IDENTITY),
}


class _Asked(dict[str, str]):
    """A query string that notes what it is asked for, in order."""

    def __init__(self) -> None:
        super().__init__({"?": ""})
        self.names: dict[str, None] = {}

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401
        self.names[key] = None
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        self.names[str(key)] = None
        return super().__contains__(key)


class _Nowhere:
    """A world with a clock and nothing else."""

    sessions = events = None

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


def parameters_of(route: Callable[[Mapping[str, str], Deps], Any]) -> list[str]:
    """Return the names of the parameters that a route reads.

    It is called with one that it does not know, which it refuses once it has read all others.
    """
    asked = _Asked()
    try:
        route(asked, cast("Deps", _Nowhere()))
    except InvalidRequestError:
        return list(asked.names)
    raise AssertionError("the route takes any parameter")


def paths(shown: Mapping[str, Json]) -> Json:
    """Return the path items of everything that reads.

    Parameters
    ----------
    shown
        An example of an answer, by path.
    """
    made = {path: {"get": _operation(path, run, shown.get(path))} for path, run in ROUTES.items()}
    return made | {description.PATH: {"get": _own()}}


def _operation(
    path: str, route: Callable[[Mapping[str, str], Deps], Any], example: Json | None
) -> Json:
    answer: Json = {"schema": ref(ANSWERS[path].__name__)}
    if example is not None:
        answer["examples"] = named([example])
    operation: Json = {
        "operationId": operation_id("get", path),
        "tags": ["Reading"],
        "summary": _summary(route),
        "parameters": [_parameter(path, name) for name in parameters_of(route)],
        "responses": {
            "200": {"description": "The answer.", "content": {"application/json": answer}},
            **problems.responses((400, 401, 403, *((404,) if "{" in path else ()), 503)),
        },
    }
    return _opened(operation) if path in OPEN_ROUTES else operation


def _opened(operation: Json) -> Json:
    """Say of a route that it wants no key; ``/health`` says with 503 that something fails."""
    responses = {
        status: each
        for status, each in operation["responses"].items()
        if status not in ("401", "403")
    }
    responses["503"] = {
        "description": "Something fails: see `checks`.",
        "content": {
            "application/json": {"schema": {"anyOf": [ref("Health"), ref("GatewayMessage")]}}
        },
    }
    return {**operation, "security": [], "responses": responses}


def _own() -> Json:
    content = {"application/json": {"schema": {"type": "object", "required": ["openapi", "paths"]}}}
    return {
        "operationId": operation_id("get", description.PATH),
        "tags": ["Reading"],
        "summary": "Answer this document",
        "security": [],
        "responses": {
            "200": {"description": "OpenAPI 3.1.", "content": content},
            **problems.responses(()),
        },
    }


def _summary(route: Callable[..., Any]) -> str:
    first = (route.__doc__ or "").strip().partition("\n")[0]
    return first.replace("``", "`").rstrip(".")


def _parameter(path: str, name: str) -> Json:
    if name == "limit":
        default, most = LIMITS[path]
        words = "Most rows of a page; it may hold fewer and have a next one all the same."
        schema: Json = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    else:
        words, schema = _PARAMETERS[name]
    if f"{{{name}}}" in path:
        return {
            "name": name,
            "in": "path",
            "required": True,
            "description": words,
            "schema": schema,
        }
    return {"name": name, "in": "query", "description": words, "schema": schema}
