"""Where the counters of five-minute windows are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from common.domain.hot import HotWindow, WindowKey


@dataclass(frozen=True, slots=True)
class Lost:
    """Another write came first, so nothing was written."""

    current: HotWindow | None
    """What is stored instead; ``None`` when nothing is."""


class HotStore(Protocol):
    """Keeps one item per window, written whole."""

    def put(self, key: WindowKey, window: HotWindow, *, over: str | None) -> Lost | None:
        """Replace the stored window if its mark is ``over`` (``None``: if there is none).

        Returns
        -------
        Lost or None
            ``None`` when the window was written. :class:`Lost` also answers a write that was
            sent twice because its first answer got lost: what is stored has then its mark.

        Raises
        ------
        ThrottledError, StoreError
            The window may have been written or not, and may yet be.
        """
