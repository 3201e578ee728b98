"""How long a batch waits for a table that is busy."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

LIMIT_S = 15.0
"""Seconds that a batch may lose to a busy table: pauses, and tries that came to nothing between
them. The index and the sessions have as many each: half of what the function may take, and the work
has the rest."""
SHORT_S = 0.1
"""Most that a pause lasts after which another write is over: those take some milliseconds."""
_LEAST_S = 0.01
_LONGEST_S = 2.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """How time passes for who waits."""

    clock: Callable[[], float] = time.monotonic
    """Seconds on a clock that never goes back."""
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random
    """A number in ``[0, 1)``."""


SYSTEM_TIME = Waiting()


class Patience:
    """Pauses between tries, and knows how much time a batch has lost with them.

    Pauses are drawn with jitter over their whole length, so that writers that were refused
    together do not come back together.
    """

    def __init__(self, waiting: Waiting = SYSTEM_TIME, limit_s: float = LIMIT_S) -> None:
        self._waiting = waiting
        self._limit_s = limit_s
        self.begin()

    def begin(self) -> None:
        """Count anew: another batch begins."""
        self._lost_s = 0.0
        self._busy_since_s: float | None = None

    def pause(self, bound_s: float) -> bool:
        """Wait for at most ``bound_s``; or tell that the time is up, without waiting."""
        now_s = self._waiting.clock()
        since_s = now_s if self._busy_since_s is None else self._busy_since_s
        pause_s = _LEAST_S + self._waiting.random() * (bound_s - _LEAST_S)
        if self._lost_s + now_s - since_s + pause_s > self._limit_s:
            return False
        self._busy_since_s = since_s
        self._waiting.sleep(pause_s)
        return True

    def answered(self) -> None:
        """Stop the count: the table works, and the time until the next pause is none of waiting."""
        if self._busy_since_s is not None:
            self._lost_s += self._waiting.clock() - self._busy_since_s
            self._busy_since_s = None


def longer_and_longer() -> Iterator[float]:
    """Yield the bounds of pauses for a table that asks for them."""
    bound_s = SHORT_S
    while True:
        yield bound_s
        bound_s = min(2 * bound_s, _LONGEST_S)
