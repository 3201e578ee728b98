"""Answers of AWS that moto does not give by itself."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import botocore.endpoint
import pytest
from botocore.awsrequest import AWSResponse
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import botocore_stubber

Answer = tuple[int, str] | BaseException
"""A status and an error code, or what goes wrong on the way."""


def answer_with(client: Any, *answers: Answer) -> list[str]:
    """Give the client's next requests these answers; moto takes over when they are used up.

    Returns
    -------
    list of str
        The operations that were asked for; grows with each request.
    """
    left, asked = list(answers), list[str]()

    def send(event_name: str, request: Any, **_: Any) -> AWSResponse | None:
        asked.append(event_name.rpartition(".")[2])
        if not left:
            return botocore_stubber(event_name, request)
        answer = left.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return _error(request, *answer)

    client.meta.events.unregister("before-send", botocore_stubber)
    client.meta.events.register("before-send", send)
    return asked


def skip_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore retry as it does, without the waits between its tries."""
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=_do_not_wait))


def _do_not_wait(_seconds: float) -> None:
    pass


def _error(request: Any, status: int, code: str) -> AWSResponse:
    text = "this text quotes the request: user-42"
    if b"DynamoDB" in request.headers.get("X-Amz-Target", b""):
        body = json.dumps({"__type": f"com.amazonaws#{code}", "message": text}).encode()
    else:
        body = f"<Error><Code>{code}</Code><Message>{text}</Message></Error>".encode()
    return AWSResponse(request.url, status, {}, MockRawResponse(body))  # type: ignore[arg-type]
