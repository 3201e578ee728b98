"""Waiting for a condition: no test waits for a time instead."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 180.0
"""How long anything may take. It is long, as a machine may have other work; nobody waits for it
but who would fail."""

_Found = TypeVar("_Found")


def wait_for(
    what: str, look: Callable[[], _Found], timeout_s: float = PATIENCE_S, every_s: float = 0.1
) -> _Found:
    """Look until there is something to see, and return it.

    What takes long to look at is looked at less often: that is work for the pipeline too.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        began = time.monotonic()
        found = look()
        if found:
            return found
        now = time.monotonic()
        assert now < deadline, f"no {what} within {timeout_s:.0f} s"
        time.sleep(max(every_s, 2 * (now - began)))
