"""What a sender was asked to do, and what it says it did: the only thing the senders share.

A sender is a program. It gets a task as JSON in its first argument, uses its SDK as that SDK's
own documentation does, and prints a report as JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

PLACES = ("Zürich", "東京", "a\tb", "")
"""Texts that a careless re-encoding would change."""


@dataclass(frozen=True)
class Task:
    """Where to send, under whose name, and how."""

    url: str
    run: str
    gzip: bool = False
    key: str = "demo"

    @classmethod
    def given(cls) -> Task:
        return cls(**json.loads(sys.argv[1]))

    def user(self, n: int) -> str:
        return f"{self.run}-user-{n % 7}"

    def visitor(self, n: int) -> str:
        return f"{self.run}-visitor-{n % 5}"


@dataclass(frozen=True)
class Sent:
    """One event in the lake's words, as its sender understands it."""

    event_id: str
    event_type: str
    at: str
    user_id: str | None = None
    anonymous_id: str | None = None
    properties: dict[str, Any] = field(default_factory=dict)


class Report:
    """Collects what was sent and what the SDK complained about."""

    def __init__(self) -> None:
        self._sent: list[Sent] = []
        self._errors: list[str] = []

    def add(self, sent: Sent) -> None:
        self._sent.append(sent)

    def error(self, *what: object) -> None:
        self._errors.append(" ".join(str(each) for each in what)[:500])

    def print(self) -> None:
        document = {"sent": [asdict(sent) for sent in self._sent], "errors": self._errors}
        sys.stdout.write(json.dumps(document) + "\n")


def past(n: int) -> datetime:
    """Return an instant of the last three hours; each ``n`` has its own."""
    return datetime.now(UTC) - timedelta(minutes=(n * 7) % 180, milliseconds=n)
