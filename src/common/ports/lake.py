"""Where events are kept for good, and lines that no retry can fix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from common.domain.bad_lines import BadLine
from common.domain.decode import StreamLine


@dataclass(frozen=True, slots=True)
class LakeObject:
    """Events of one hour from consecutive records of one shard."""

    key: str
    """:func:`common.domain.keys.lake_key`: the same key always means the same rows."""
    lines: tuple[StreamLine, ...]
    """At least one, in stream order."""


class Lake(Protocol):
    """Writes each object once: one that is there already is left alone and counts as written."""

    def put_events(self, objects: Sequence[LakeObject]) -> None:
        """Write objects of events; all of them are there when this returns.

        Raises
        ------
        ThrottledError, StoreError
            At least one may not be there; the others may.
        """

    def put_quarantine(self, lines: Sequence[BadLine]) -> None:
        """Write each bad line as an object of its own; all are there when this returns.

        Raises
        ------
        ThrottledError, StoreError
            At least one may not be there; the others may.
        """
