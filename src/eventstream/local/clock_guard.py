"""A wall clock that is put back, noticed before it hides a record.

The emulator's sequence numbers begin with the wall clock's milliseconds. Of a record that is put
after the clock went back (a correction by NTP, a virtual machine that resumes) the number lies
before those of earlier records, so whoever reads on from the last one never sees it. Until the
clock has passed the latest time that it has shown, nothing may be put on a stream.
"""

import contextlib
import logging
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

logger = logging.getLogger(__name__)

SLACK_S = 0.05
"""A step back that is no reason to stop: as much as two readings of the clocks may differ."""


class ClockGuard:
    """Compares the wall clock with the monotonic one, at every look.

    The latest time shown is the modification time of a file, so that the next start and `doctor`
    know it, too.

    Parameters
    ----------
    file
        The file; `save` makes it.
    wall_s, monotonic_s
        The clocks, in seconds.
    """

    def __init__(
        self,
        file: Path,
        wall_s: Callable[[], float] = time.time,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = file
        self._wall_s = wall_s
        self._monotonic_s = monotonic_s
        self._latest_s = latest_s(file)
        self._seen: tuple[float, float, float] | None = None
        self._waits = False

    def look(self) -> int:
        """Compare the clocks; return for how many seconds nothing may be put, 0 when all is well.

        Says it once in the log when the clock has gone back, and once when it has caught up.
        """
        before_s, now_s, after_s = self._monotonic_s(), self._wall_s(), self._monotonic_s()
        at_least_s = at_most_s = self._latest_s
        if self._seen is not None:
            # What the wall clock shows if nobody sets it. Between two readings this thread may
            # have been asleep, which must not look like a step: hence two bounds.
            seen_before_s, seen_s, seen_after_s = self._seen
            at_least_s = max(at_least_s, seen_s + before_s - seen_after_s)
            at_most_s = max(at_most_s, seen_s + after_s - seen_before_s)
        self._seen = (before_s, now_s, after_s)
        if at_least_s - now_s > SLACK_S:
            self._latest_s = at_most_s
            self._start_waiting(at_most_s - now_s)
        elif self._waits and now_s >= self._latest_s:
            self._waits = False
            logger.warning("the clock of this machine has caught up: POST requests are taken again")
        self._latest_s = max(self._latest_s, now_s)
        return max(1, math.ceil(self._latest_s - now_s)) if self._waits else 0

    def _start_waiting(self, behind_s: float) -> None:
        if not self._waits:
            logger.error(
                "the clock of this machine went back by %.1f s: POST requests get 503 until it has "
                "caught up, because what is put now would never be read. If it was wrong before, "
                "begin with nothing: `eventstream dev --fresh`",
                behind_s,
            )
        self._waits = True

    def save(self) -> None:
        """Keep the latest time for the next start and for other processes."""
        with contextlib.suppress(OSError):
            self._file.touch()
            os.utime(self._file, (self._latest_s, self._latest_s))


def latest_s(file: Path) -> float:
    """Return the latest time that was shown, as kept in a guard's file; 0 without one."""
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return 0.0
