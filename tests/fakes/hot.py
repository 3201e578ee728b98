"""Five-minute windows in memory."""

from __future__ import annotations

from common.domain.hot import HotWindow, WindowKey
from common.ports.hot import HotStore, Lost


class MemoryHotStore(HotStore):
    def __init__(self) -> None:
        self.windows: dict[tuple[str, str], HotWindow] = {}

    def put(self, key: WindowKey, window: HotWindow, *, over: str | None) -> Lost | None:
        current = self.windows.get((key.pk, key.sk))
        if (current.mark if current else None) != over:
            return Lost(current)
        self.windows[key.pk, key.sk] = window
        return None
