"""A client of the ingest function that needs no network."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from common.ports.stream import EventSink
from fakes.ingest_builders import LambdaContext, a_gateway_event, a_world
from ingest import handler


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: dict[str, Any]
    size_bytes: int
    """As the runtime returns it to Lambda."""


Post = Callable[..., Answer]


def posting_to(sink: EventSink, monkeypatch: pytest.MonkeyPatch, **world: Any) -> Post:
    """Return a function that posts to the handler, which puts on ``sink``."""
    deps = a_world(sink, **world)
    monkeypatch.setattr(handler, "deps", lambda: deps)

    def post(body: object, path: str = "/events", **fields: Any) -> Answer:
        text = body if isinstance(body, str | bytes) else json.dumps(body)
        raw = handler.lambda_handler(a_gateway_event(text, path, **fields), LambdaContext())
        size = len(json.dumps(raw, ensure_ascii=False).encode())
        return Answer(raw["statusCode"], raw["headers"], json.loads(raw["body"]), size)

    return post
