"""Where events are found again by their ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from common.domain.event_index import EventKey, IndexEntry, Stamp


@dataclass(frozen=True, slots=True)
class IndexChange:
    """An entry, to be written in the place of another one."""

    entry: IndexEntry
    over: Stamp | None
    """What the stored entry must be; ``None``: there must be none."""


@dataclass(frozen=True, slots=True)
class IndexWritten:
    """What became of some changes; one in neither was not written for a neighbour's sake."""

    done: frozenset[EventKey]
    lost: Mapping[EventKey, IndexEntry | None]
    """What is stored instead, of events for which another write came first."""


class EventIndexStore(Protocol):
    """Keeps one entry per event."""

    def begin(self) -> None:
        """Take what follows for another batch, which has its own time to wait for a busy store."""
        return

    def write(self, changes: Sequence[IndexChange]) -> IndexWritten:
        """Write entries over those that they name, many at a time; each of another event.

        A change that was sent twice because its first answer got lost may be found lost: what is
        stored is then its own entry.

        Raises
        ------
        ThrottledError, StoreError
            Some of the changes may have been written, or may yet be.
        """
        ...


class EventIndexReadings(Protocol):
    """The index, as readers see it: what is past its ``ttl`` is not there.

    Every method raises ``ThrottledError`` or ``StoreError`` when the store does not answer.
    """

    def find(self, event_id: str, source: str | None = None) -> list[IndexEntry]:
        """Return what is stored under an event id, one entry per source, in their order."""
        ...

    def check(self) -> bool:
        """Try to read and tell whether the store answered."""
        ...
