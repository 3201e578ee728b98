"""HTTP to a pipeline's API: kept-alive connections, and patience with a busy one."""

from __future__ import annotations

import http.client
import json
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

from eventstream.output import CommandError, UsageProblemError

API_KEY_VARIABLE = "EVENTSTREAM_API_KEY"
"""Holds the key for an API that wants one; not an option, which process lists would show."""

RETRY_STATUS = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses that say: not now."""

START_IT = "is the pipeline running? `eventstream dev` starts it"
"""What to do when nobody answers."""

_UNAUTHORIZED = 401

_CONNECTION_ERRORS = (OSError, http.client.HTTPException)


class UnexpectedAnswerError(CommandError):
    """The other side answers as no EventStream API does."""


class UnreachableError(CommandError):
    """Nobody answers at the API's address."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes
    retry_after_s: float = 0.0

    def json(self) -> dict[str, Any]:
        """Return the JSON object of the body; an empty one when it isn't an object."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


def key_advice(answer: Answer) -> str:
    """Return what to add to the words of a refusal: where this command line takes its key from."""
    if answer.status != _UNAUTHORIZED:
        return ""
    has_key = bool(os.environ.get(API_KEY_VARIABLE, "").strip())
    return (
        f" ({API_KEY_VARIABLE} has the key that was sent)"
        if has_key
        else f" (here: put it into the environment variable {API_KEY_VARIABLE})"
    )


class Poster(Protocol):
    """Something that can post a JSON body; it raises ``OSError`` when nobody answers."""

    def post(self, path: str, body: bytes) -> Answer:
        """Post one body."""
        ...


class HttpApi:
    """One HTTP API; a kept-alive connection per thread, proxies of the environment ignored.

    A context manager: leaving it closes the connections.

    Parameters
    ----------
    base_url
        Address of the API, without a trailing slash.
    timeout_s
        How long one answer may take.
    """

    def __init__(self, base_url: str, *, timeout_s: float = 35.0) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageProblemError(f"{base_url!r} is no http(s) address")
        self.base_url = base_url.rstrip("/")
        self._secure, self._host, self._port = (
            parts.scheme == "https",
            parts.hostname,
            parts.port,
        )
        self._prefix = parts.path.rstrip("/")
        self._timeout_s = timeout_s
        self._headers = {"content-type": "application/json"}
        if key := os.environ.get(API_KEY_VARIABLE, "").strip():
            self._headers["authorization"] = f"Bearer {key}"
        self._local = threading.local()
        self._connections: list[http.client.HTTPConnection] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.close()

    def post(self, path: str, body: bytes) -> Answer:
        """Post a JSON body and return the answer, whatever its status."""
        return self._request("POST", path, body)

    def get(self, path: str) -> Answer:
        """Get a path, query included, and return the answer, whatever its status."""
        return self._request("GET", path, None)

    def _request(self, method: str, path: str, body: bytes | None) -> Answer:
        connection = self._connection()
        try:
            connection.request(method, self._prefix + path, body=body, headers=self._headers)
            response = connection.getresponse()
            content = response.read()
        except _CONNECTION_ERRORS as error:
            connection.close()
            reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
            raise ConnectionError(f"nobody answers at {self.base_url} ({reason})") from error
        return Answer(response.status, content, _seconds(response.headers.get("retry-after")))

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            make = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            connection = make(self._host, self._port, timeout=self._timeout_s)
            self._local.connection = connection
            self._connections.append(connection)
        return connection


def _seconds(header: str | None) -> float:
    """Read ``Retry-After``; a date, which our API never sends, counts as no wish."""
    text = (header or "").strip()
    return min(float(text), 60.0) if text.isdigit() else 0.0


@dataclass(frozen=True)
class Patience:
    """When to try again, and when to give up: full jitter, doubling, bounded in time.

    Attributes
    ----------
    give_up_after_s
        Time for one batch, from its first try; after it the batch is given up.
    first_s, longest_s
        Upper bound of the first wait, and of any.
    """

    give_up_after_s: float = 60.0
    first_s: float = 0.2
    longest_s: float = 5.0
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] | None = None
    """How to wait; ``time.sleep`` when not given."""
    stopped: Callable[[], bool] = lambda: False
    """Whether somebody wants the work to end."""
    rng: random.Random = field(default_factory=random.Random)

    def wait_s(self, attempt: int, asked_s: float) -> float:
        """Return how long to wait before try ``attempt + 1``; never less than was asked."""
        bound = min(self.first_s * 2**attempt, self.longest_s)
        return asked_s + self.rng.uniform(0, bound)

    def is_over(self, started: float, wait_s: float) -> bool:
        """Say whether another try, ``wait_s`` from now, would come too late."""
        return self.stopped() or self.now() + wait_s - started > self.give_up_after_s

    def pause(self, wait_s: float) -> None:
        """Wait."""
        (self.sleep or time.sleep)(wait_s)


def encode(value: object) -> bytes:
    """Return compact JSON; what JSON can't say (NaN, infinities) raises ``ValueError``."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def post_patiently(api: Poster, path: str, body: bytes, patience: Patience) -> Answer:
    """Post one body, again while the API is busy or away, and return the last answer.

    Raises
    ------
    UnreachableError
        Nobody answered until patience ran out.
    """
    started, attempt = patience.now(), 0
    while True:
        answer, problem = None, ""
        try:
            answer = api.post(path, body)
        except OSError as error:
            problem = str(error)
        if answer is not None and answer.status not in RETRY_STATUS:
            return answer
        wait_s = patience.wait_s(attempt, answer.retry_after_s if answer else 0.0)
        if patience.is_over(started, wait_s):
            if answer is not None:
                return answer
            raise UnreachableError(f"{problem}: {START_IT}")
        patience.pause(wait_s)
        attempt += 1
