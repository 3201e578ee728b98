"""An entry of the event index as a DynamoDB item, under the event's id and its source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from common.domain.event_index import Copy, EventKey, IndexEntry, IndexRules
from common.domain.keys import event_pk

_PREFIX = event_pk("")


def to_item(entry: IndexEntry, rules: IndexRules) -> dict[str, Any]:
    """Return the item of an entry.

    It expires so long after its line arrived that no line that was left out for its sake can
    come again by then.
    """
    numbers = {
        "arrived": entry.arrived_ms,
        "received": entry.received_ms,
        "timestamp": entry.timestamp_ms,
        "ttl": (entry.arrived_ms + rules.keep_ms) // 1000 + 1,
    }
    texts = {
        "pk": event_pk(entry.key.event_id),
        "sk": entry.key.source,
        "state": entry.state,
        "at": entry.at,
        "object": entry.object_key,
        "event_type": entry.event_type,
        "reason": entry.reason,
        "field": entry.field,
        "again_at": entry.again.at if entry.again else None,
        "again_object": entry.again.object_key if entry.again else None,
    }
    item: dict[str, Any] = {name: {"S": text} for name, text in texts.items() if text is not None}
    item |= {name: {"N": str(number)} for name, number in numbers.items() if number is not None}
    return item | ({"line": {"B": entry.packed}} if entry.packed is not None else {})


def from_item(item: Mapping[str, Any]) -> IndexEntry:
    """Read the entry of an item."""

    def text(name: str) -> str | None:
        return item[name]["S"] if name in item else None

    def number(name: str) -> int | None:
        return int(item[name]["N"]) if name in item else None

    return IndexEntry(
        key=EventKey(item["sk"]["S"], item["pk"]["S"].removeprefix(_PREFIX)),
        state="stored" if item["state"]["S"] == "stored" else "quarantined",
        at=item["at"]["S"],
        arrived_ms=int(item["arrived"]["N"]),
        received_ms=number("received"),
        object_key=item["object"]["S"],
        packed=bytes(item["line"]["B"]) if "line" in item else None,
        event_type=text("event_type"),
        timestamp_ms=number("timestamp"),
        reason=text("reason"),
        field=text("field"),
        again=(
            Copy(item["again_at"]["S"], item["again_object"]["S"]) if "again_at" in item else None
        ),
    )
