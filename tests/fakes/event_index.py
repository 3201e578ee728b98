"""The event index in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from common.domain.bad_lines import Position
from common.domain.event_index import EventKey, IndexEntry, address
from common.domain.keys import lake_key, quarantine_key
from common.domain.packing import packed
from common.domain.windows import to_ms
from common.models import parse_instant
from common.ports.event_index import (
    EventIndexReadings,
    EventIndexStore,
    IndexChange,
    IndexWritten,
)


class MemoryEventIndex(EventIndexStore):
    def __init__(self, at_once: int = 100) -> None:
        self.entries: dict[EventKey, IndexEntry] = {}
        self.transactions = 0
        self._at_once = at_once

    def write(self, changes: Sequence[IndexChange]) -> IndexWritten:
        done: set[EventKey] = set()
        lost: dict[EventKey, IndexEntry | None] = {}
        for begin in range(0, len(changes), self._at_once):
            some = changes[begin : begin + self._at_once]
            self.transactions += 1
            refused = [change for change in some if not self._fits(change)]
            lost |= {change.entry.key: self.entries.get(change.entry.key) for change in refused}
            if not refused:
                self.entries |= {change.entry.key: change.entry for change in some}
                done |= {change.entry.key for change in some}
        return IndexWritten(frozenset(done), lost)

    def _fits(self, change: IndexChange) -> bool:
        stored = self.entries.get(change.entry.key)
        return (stored.stamp if stored else None) == change.over


class MemoryEventIndexReadings(EventIndexReadings):
    def __init__(self, entries: Sequence[IndexEntry]) -> None:
        self.entries = {entry.key: entry for entry in entries}
        self.well = True

    def find(self, event_id: str, source: str | None = None) -> list[IndexEntry]:
        return [
            entry
            for key, entry in sorted(self.entries.items())
            if key.event_id == event_id and source in (None, key.source)
        ]

    def check(self) -> bool:
        return self.well


def an_entry(event_id: str = "e-1", source: str = "public", **more: Any) -> IndexEntry:
    """Return the entry of an event that was sent at half past nine and stored."""
    at, came = Position("events", "shardId-000000000000", "42"), "2026-02-20T09:30:00.123Z"
    came_ms = to_ms(parse_instant(came))
    line = {"event_id": event_id, "event_type": "click", "timestamp": came, "source": source}
    line |= {"properties": {"total": 12.5}, "timestamp_source": "client", "schema_version": 1}
    line |= {"received_at": came, "ingested_at": came}
    fields: dict[str, Any] = {
        "state": "stored",
        "at": address(at, 0),
        "arrived_ms": came_ms + 40,
        "received_ms": came_ms,
        "object_key": lake_key(parse_instant(came), at.stream, at.shard, "41", "43"),
        "packed": packed(json.dumps(line).encode()),
        "event_type": "click",
        "timestamp_ms": came_ms,
    }
    return IndexEntry(EventKey(source, event_id), **fields | more)


def a_rejected_entry(event_id: str = "e-2", raw: str | None = '{"a":1}') -> IndexEntry:
    """Return the entry of a message that ingest rejected."""
    line = json.dumps({"rejected": {"rule": "missing"}, "raw": raw}).encode()
    return an_entry(
        event_id,
        state="quarantined",
        object_key=quarantine_key("events", "shardId-000000000000", "42", 0),
        packed=packed(line),
        event_type=None,
        timestamp_ms=None,
        reason="missing",
        field="event",
    )
