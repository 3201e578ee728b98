"""The event index: which lines of a batch are events that are new, and where each event is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from common.domain.bad_lines import BadLine
from common.domain.decode import StreamLine
from common.domain.event_index import (
    Copy,
    EventKey,
    IndexEntry,
    IndexRules,
    address,
    entry_of,
    is_kept,
    key_of,
    object_names,
    replaces,
)
from common.domain.rejections import rejections
from common.errors import ConditionLostError
from common.ports.event_index import EventIndexStore, IndexChange

_TRIES = 8
"""Writes in a row that settled no event. An event is lost to another line once; more often only
where writers race for it."""


class EventIndex:
    """Claims events for the lines of a batch, and leaves out the lines that came too late.

    Guarantee: of all lines with one source and event id, the same one is kept at every delivery,
    whatever is delivered again, in whatever batches, of whichever shards and flows; and a line is
    left out only if another one is kept that was sent under its name. Beside it only replayed
    lines of its instants are kept: copies in its hour, which every reader drops. It holds within
    the window of the rules, while that stays the same; beyond it a line is an event of its own.

    What is known of rejected messages is an answer to questions and decides nothing: of each
    record it is the first few, so that no record makes more claims than its events need.
    """

    def __init__(self, store: EventIndexStore, rules: IndexRules) -> None:
        self._store = store
        self._rules = rules

    def admit(self, lines: Sequence[StreamLine], bad: Sequence[BadLine]) -> tuple[StreamLine, ...]:
        """Return the lines to go on with; those left out are events sent again.

        Raises
        ------
        ThrottledError, StoreError
            Some events may be claimed; give the same records again, in any batches.
        """
        self._store.begin()
        keys = [key_of(line) for line in lines]
        owners = self._claimed(_claims(lines, keys, bad))
        kept = [
            (line, key)
            for line, key in zip(lines, keys, strict=True)
            if key is None or is_kept(line, owners[key])
        ]
        self._amend(_amended(kept, owners), owners)
        return tuple(line for line, _ in kept)

    def _claimed(self, claims: Mapping[EventKey, IndexEntry]) -> dict[EventKey, IndexEntry]:
        """Write each claim unless its event has an owner; return the owners."""
        todo = {key: IndexChange(entry, None) for key, entry in claims.items()}
        owners: dict[EventKey, IndexEntry] = {}
        tries = 0
        while todo and tries < _TRIES:
            settled = len(owners)
            written = self._store.write(list(todo.values()))
            for key in written.done:
                owners[key] = todo.pop(key).entry
            for key, stored in written.lost.items():
                claim = todo.pop(key).entry
                if stored is None:
                    todo[key] = IndexChange(claim, None)
                elif replaces(claim, stored, self._rules):
                    todo[key] = IndexChange(claim, stored.stamp)
                else:
                    owners[key] = stored
            tries = 0 if len(owners) > settled else tries + 1
        if todo:
            raise ConditionLostError("the index changed under each of several writes")
        return owners

    def _amend(
        self, wanted: Mapping[EventKey, IndexEntry], owners: Mapping[EventKey, IndexEntry]
    ) -> None:
        """Put right what entries say of objects; whoever changed one meanwhile knows better."""
        todo = {key: IndexChange(entry, owners[key].stamp) for key, entry in wanted.items()}
        tries = 0
        while todo and tries < _TRIES:
            written = self._store.write(list(todo.values()))
            left = {
                key: change
                for key, change in todo.items()
                if key not in written.done and key not in written.lost
            }
            tries = 0 if len(left) < len(todo) else tries + 1
            todo = left
        if todo:
            raise ConditionLostError("the index changed under each of several writes")


def _claims(
    lines: Sequence[StreamLine], keys: Sequence[EventKey | None], bad: Sequence[BadLine]
) -> dict[EventKey, IndexEntry]:
    """Return a claim for each event: its first line's, else that of the first rejected one."""
    claims: dict[EventKey, IndexEntry] = {}
    for line, key, name in zip(lines, keys, object_names(lines), strict=True):
        if key is not None and key not in claims:
            claims[key] = entry_of(key, line, name)
    for entry in _rejected(bad):
        claims.setdefault(entry.key, entry)
    return claims


def _rejected(bad: Sequence[BadLine]) -> Iterator[IndexEntry]:
    for each in bad:
        yield from rejections(each)


def _amended(
    kept: Sequence[tuple[StreamLine, EventKey | None]], owners: Mapping[EventKey, IndexEntry]
) -> dict[EventKey, IndexEntry]:
    """Return the entries that name another object than their line is written to.

    A claim can foretell the object, except where lines at its ends turn out to be left out, or
    where an earlier delivery had other boundaries.
    """
    amended: dict[EventKey, IndexEntry] = {}
    names = object_names([line for line, _ in kept])
    for (line, key), name in zip(kept, names, strict=True):
        if key is None:
            continue
        entry, at = amended.get(key, owners[key]), address(line.position, line.line)
        if entry.at == at:
            wanted = replace(entry, object_key=name)
        else:
            wanted = replace(entry, again=Copy(at, name))
        if wanted != owners[key]:
            amended[key] = wanted
    return amended
