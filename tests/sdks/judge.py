"""Compares what a client says it sent with what the lake holds. Pure."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

FIELDS = ("event_type", "user_id", "anonymous_id")


def problems(sent: Sequence[Mapping[str, Any]], rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each event that is not in the lake exactly once, and as it was sent.

    Parameters
    ----------
    sent
        Events as senders report them.
    rows
        Rows of the lake that lie under the sender's users; ``properties`` is JSON text.
    """
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["event_id"]].append(row)
    told = []
    for event in sent:
        copies = found.pop(event["event_id"], [])
        if len(copies) != 1:
            told.append(f"{event['event_type']} {event['event_id']} is there {len(copies)} times")
        for row in copies:
            told += _differences(event, row)
    told += [f"{event_id} was never sent" for event_id in found]
    return told


def _differences(event: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    pairs = {name: (event[name], row[name]) for name in FIELDS}
    pairs["at"] = (instant(event["at"]), instant(row["timestamp"]))
    properties = json.loads(row["properties"] or "{}")
    pairs |= {
        f"properties.{name}": (value, properties.get(name))
        for name, value in event["properties"].items()
    }
    return [
        f"{event['event_type']} {event['event_id']}: {name} was {wanted!r}, is {got!r}"
        for name, (wanted, got) in pairs.items()
        if wanted != got
    ]


def instant(given: str | datetime) -> datetime:
    """Read an instant, cut to milliseconds; one without a zone is in UTC."""
    at = given if isinstance(given, datetime) else datetime.fromisoformat(given)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
