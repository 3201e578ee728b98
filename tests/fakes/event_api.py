"""An events API in memory that answers as told: for clients of it, with or without a network."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

from eventstream.load.client import Answer

Event = dict[str, Any]
Script = Callable[[int, list[Event]], Answer | None]
"""Given the number of the request, from 0, and its events: an answer, or ``None`` to accept."""


def accept(_number: int, _events: list[Event]) -> Answer | None:
    return None


def answer(status: int, body: object, retry_after_s: float = 0.0) -> Answer:
    return Answer(status, json.dumps(body).encode(), retry_after_s)


def receipt(statuses: Sequence[str], *, rule: str = "bad_format") -> Answer:
    """Answer a batch event by event, as the ingest function does."""
    error = {"field": "timestamp", "rule": rule, "message": "timestamp is refused"}
    results: list[dict[str, Any]] = [
        {"index": index, "event_id": None, "status": status, **({"error": error} if error else {})}
        for index, status in enumerate(statuses)
    ]
    counts = {name: statuses.count(name) for name in ("accepted", "rejected", "retry")}
    if counts["accepted"] == len(statuses):
        status = 200
    elif counts["accepted"]:
        status = 207
    else:
        status = 503 if counts["retry"] else 400
    return answer(status, {**counts, "results": results, "request_id": "r"})


class EventApi:
    """Keeps what it accepted; safe to call from several threads."""

    def __init__(self, script: Script = accept) -> None:
        self.script = script
        self.requests: list[list[Event]] = []
        self.accepted: list[Event] = []
        self.paths: list[str] = []
        self._lock = threading.Lock()
        self._kept = threading.Condition(self._lock)

    def post(self, path: str, body: bytes) -> Answer:
        document = json.loads(body)
        single = isinstance(document, dict)
        events: list[Event] = [document] if single else document
        with self._lock:
            number = len(self.requests)
            self.requests.append(events)
            self.paths.append(path)
        said = self.script(number, events)
        if said is None:
            said = self._accept_one(events[0]) if single else receipt(["accepted"] * len(events))
        self._keep(events, said)
        return said

    def wait_for(self, *, accepted: int) -> None:
        """Wait until so many events were accepted."""
        with self._kept:
            assert self._kept.wait_for(lambda: len(self.accepted) >= accepted, 30)

    def _accept_one(self, event: Event) -> Answer:
        ident = event.get("event_id", "made-here")
        return answer(200, {"event_id": ident, "status": "accepted", "request_id": "r"})

    def _keep(self, events: list[Event], said: Answer) -> None:
        results = said.json().get("results")
        if results is None:
            kept = events if said.status == 200 else []
        else:
            statuses = [result["status"] for result in results]
            pairs = zip(events, statuses, strict=True)
            kept = [event for event, status in pairs if status == "accepted"]
        with self._kept:
            self.accepted += kept
            self._kept.notify_all()


class FakeClock:
    """A clock that only moves when somebody waits."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now_s += seconds
