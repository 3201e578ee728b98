"""Ways to know an event again that are known to be wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from common.domain.bad_lines import BadLine
from common.domain.decode import StreamLine, decode_batch
from common.domain.event_index import (
    EventKey,
    IndexEntry,
    IndexRules,
    entry_of,
    is_kept,
    key_of,
)
from common.domain.windows import to_ms
from common.errors import StoreError, ThrottledError
from common.ports.event_index import IndexChange
from faults.index_simulation import RemoteIndexStore
from faults.simulation import Subject
from process.index import EventIndex
from process.service import Deps, process


def no_index(_store: RemoteIndexStore, _rules: IndexRules) -> None:
    """Take each line for an event of its own."""


class IgnoresThePosition:
    """Leaves out whatever it has seen before, and so its own lines when they come again."""

    def __init__(self, store: RemoteIndexStore, rules: IndexRules) -> None:
        self._store = store

    def admit(self, lines: Sequence[StreamLine], bad: Sequence[BadLine]) -> tuple[StreamLine, ...]:
        first: dict[EventKey, StreamLine] = {}
        for line in lines:
            first.setdefault(cast("EventKey", key_of(line)), line)
        new = []
        for key, line in first.items():
            written = self._store.write([IndexChange(entry_of(key, line, ""), None)])
            if written.done:
                new.append(line)
        return tuple(line for line in lines if line.event.replayed or line in new)


class LooksFirst:
    """Looks up who was there before, and writes itself down when all the rest is done."""

    def __init__(self, store: RemoteIndexStore, rules: IndexRules) -> None:
        self._store, self._shipped = store, EventIndex(store, rules)

    def admit(self, lines: Sequence[StreamLine], bad: Sequence[BadLine]) -> tuple[StreamLine, ...]:
        owners = self._store.read([key_of(line) for line in lines])
        kept: dict[Any, StreamLine] = {}
        for line in lines:
            owner = owners.get(cast("EventKey", key_of(line)))
            if owner is None or owner.state == "quarantined" or is_kept(line, owner):
                kept.setdefault((key_of(line), line.event.replayed), line)
        return tuple(kept.values())

    def write(self, lines: Sequence[StreamLine], bad: Sequence[BadLine]) -> None:
        self._shipped.admit(lines, bad)


def writes_the_index_last(records: Sequence[Mapping[str, Any]], deps: Deps) -> Iterable[str]:
    """Write the lake and the counters first, and the index second."""
    outcome = process(records, deps)
    if outcome.retry_from:
        return [outcome.retry_from]
    batch = decode_batch(records)
    try:
        cast("Any", deps.index).write(batch.lines, batch.bad)
    except (ThrottledError, StoreError):
        return [records[0]["kinesis"]["sequenceNumber"]]
    return []


class LetsAllReplayedThrough:
    """Keeps each replayed line, also one whose event was sent again and stored meanwhile."""

    def __init__(self, store: RemoteIndexStore, rules: IndexRules) -> None:
        self._shipped = EventIndex(store, rules)

    def admit(self, lines: Sequence[StreamLine], bad: Sequence[BadLine]) -> tuple[StreamLine, ...]:
        kept = self._shipped.admit(lines, bad)
        return tuple(line for line in lines if line.event.replayed or line in kept)


class IgnoresTheTimestamp:
    """Takes a replayed line for the owner's if one request brought both, whatever their times."""

    def __init__(self, store: RemoteIndexStore, rules: IndexRules) -> None:
        self._store, self._shipped = store, EventIndex(store, rules)

    def admit(self, lines: Sequence[StreamLine], bad: Sequence[BadLine]) -> tuple[StreamLine, ...]:
        kept = self._shipped.admit(lines, bad)
        owners = self._store.read([key_of(line) for line in lines])
        return tuple(line for line in lines if line in kept or _came_together(line, owners))


def _came_together(line: StreamLine, owners: Mapping[EventKey, IndexEntry]) -> bool:
    owner = owners.get(cast("EventKey", key_of(line)))
    received_ms = to_ms(line.event.received_at)
    return line.event.replayed and owner is not None and owner.received_ms == received_ms


WRITES_LAST = Subject(invoke=writes_the_index_last)
