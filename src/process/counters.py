"""The counters of five-minute windows: exact per stream line, one write per window and batch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from common.domain.decode import StreamLine
from common.domain.hot import HotWindow, RecordSamples, WindowKey, by_window, counted, not_counted
from common.errors import ConditionLostError
from common.ports.hot import HotStore

_CACHED_WINDOWS = 64
"""Two hours of a shard are 24; a window that fell out costs one refused write, which returns it."""

_TRIES = 8
"""A shard has one reader, so a condition is lost to forgotten writers only, once to each."""


class HotCounters:
    """Adds batches to the stored windows, and remembers what it stored.

    Guarantee: each record counts once in each of its windows, if the records of a shard come in
    order the first time and any range that begins at or before the first unfinished record may
    come again. That holds through crashes, lost answers, writes that land late, stale memories
    of other execution environments, and batches with other boundaries.
    """

    def __init__(self, store: HotStore, *, max_types: int) -> None:
        self._store = store
        self._max_types = max_types
        self._stored: OrderedDict[WindowKey, HotWindow] = OrderedDict()

    def add(self, lines: Iterable[StreamLine]) -> None:
        """Count the hot events of a batch; those counted before are left out.

        Raises
        ------
        ThrottledError, StoreError
            Some windows may be done; give the same records again, in any batches.
        """
        for key, records in by_window(lines).items():
            self._add(key, records)

    def _add(self, key: WindowKey, records: Sequence[RecordSamples]) -> None:
        # Taken out, and put back once it is known what is stored: an exception forgets it.
        stored = self._stored.pop(key, None)
        for _ in range(_TRIES):
            records = not_counted(records, stored)
            if not records:
                break
            window = counted(stored, records, max_types=self._max_types)
            lost = self._store.put(key, window, over=stored.mark if stored else None)
            if lost is None:
                stored = window
                break
            stored = lost.current
        else:
            raise ConditionLostError("a hot window changed under each of several writes")
        if stored is not None:
            self._remember(key, stored)

    def _remember(self, key: WindowKey, window: HotWindow) -> None:
        self._stored[key] = window
        if len(self._stored) > _CACHED_WINDOWS:
            self._stored.popitem(last=False)
