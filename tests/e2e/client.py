"""A client as the API wants one: what has no receipt is sent again, under the same ids.

A machine under load may take longer to start a function than the API lets a client wait, and a
function may be killed under its request; the answer is then 503 or 500.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from fakes.waiting import wait_for

PATIENCE_S = 120.0


def ask(
    url: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    method: str | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """Send a request once; return status, headers by lower-case name, and body."""
    request = urllib.request.Request(url, body, dict(headers or {}), method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own address
            status, given, content = answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            status, given, content = error.code, error.headers, error.read()
    return status, {name.lower(): value for name, value in given.items()}, content


def ask_until_answered(
    url: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    method: str | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """Send a request until the answer is none of 5xx."""

    def answered() -> tuple[int, dict[str, str], bytes] | None:
        found = ask(url, body, headers, method)
        return found if found[0] < 500 else None

    return wait_for(f"answer of {url}", answered, PATIENCE_S, every_s=0.2)


def post_json(url: str, body: object) -> tuple[int, Any]:
    """Post a document until it is answered; return the status and the answer."""
    content_type = {"content-type": "application/json"}
    status, _, content = ask_until_answered(url, json.dumps(body).encode(), content_type)
    return status, json.loads(content)


def deliver(url: str, events: Sequence[Mapping[str, Any]]) -> int:
    """Send events with ids, together, until each has its receipt; return how many went again."""
    left, sent_again = list(events), -len(events)

    def done() -> bool:
        nonlocal left, sent_again
        sent_again += len(left)
        accepted = _accepted(url, left)
        left = [event for event in left if event["event_id"] not in accepted]
        return not left

    wait_for(f"receipts of {len(events)} events", done, PATIENCE_S, every_s=0.2)
    return sent_again


def _accepted(url: str, events: Sequence[Mapping[str, Any]]) -> set[str]:
    content_type = {"content-type": "application/json"}
    status, _, content = ask(f"{url}/events/batch", json.dumps(events).encode(), content_type)
    assert status in {200, 207} or status >= 500, content
    results = json.loads(content).get("results", [])  # the gateway's own answers have none
    assert "rejected" not in {one["status"] for one in results}, content
    return {one["event_id"] for one in results if one["status"] == "accepted"}
