"""Counts of what happens to events on their way, told with the figures of their request."""

from __future__ import annotations

from collections import Counter


class Tally:
    """Adds up by name until it is drained; a function answers one request at a time."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str) -> None:
        """Count one."""
        self._counts[name] += 1

    def drain(self) -> dict[str, int]:
        """Return what was counted since the last time."""
        counts = dict(self._counts)
        self._counts.clear()
        return counts
