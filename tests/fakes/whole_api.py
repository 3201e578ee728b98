"""The HTTP API in one process: the template's routes, the gateway's events, the real handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from eventstream.local import http_api
from eventstream.local.http_api import Answer, HttpApi, Request, Route
from fakes.ingest_builders import NOON, LambdaContext
from template.checks import functions
from template.checks.reading import Template

Function = Callable[[dict[str, Any], Any], dict[str, Any]]
StartResponse = Callable[[str, list[tuple[str, str]]], object]


def routes_of(translated: Template) -> list[Route]:
    """Return the routes of the template's API, and the logical id of the function behind each."""
    return [
        Route(key, str(functions.served_by(operation)))
        for key, operation in functions.routes(translated).items()
        if not key.startswith("OPTIONS")
    ]


class WholeApi:
    """Answers requests as a WSGI application does."""

    def __init__(
        self, routes: Iterable[Route], handlers: Mapping[str, Function], at: datetime = NOON
    ) -> None:
        self._api = HttpApi("api", tuple(routes))
        self._handlers = handlers
        self._at = at
        self.statuses: dict[str, set[int]] = {}
        """What was answered, by route."""

    def answer(self, request: Request) -> Answer:
        found = self._api.match(request.method, request.path)
        if found is None:
            return http_api.message(404, "Not Found")
        route, variables = found
        event = self._api.event(route, variables, request)
        given = http_api.answer(self._handlers[route.function](event, LambdaContext()))
        self.statuses.setdefault(route.key, set()).add(given.status)
        return given

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        answer = self.answer(self._request(environ))
        start_response(f"{answer.status} -", list(answer.headers.items()))
        return [answer.body]

    def _request(self, environ: dict[str, Any]) -> Request:
        headers = [
            (name.removeprefix("HTTP_").replace("_", "-").lower(), str(value))
            for name, value in environ.items()
            if name.startswith("HTTP_") or name == "CONTENT_TYPE"
        ]
        return Request(
            method=environ["REQUEST_METHOD"],
            raw_path=quote(environ["PATH_INFO"].encode("latin-1")),
            query=environ.get("QUERY_STRING", ""),
            headers=headers,
            body=environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)),
            client_ip="203.0.113.9",
            id="r-1",
            at=self._at,
        )
