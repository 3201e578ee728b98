"""What a load has done so far, on disk, so that it can go on after being killed.

One JSON line per batch the API has answered for, appended when the answer is in. A torn last line
(the process was killed while writing) is that of a batch that will be sent again, under the same
event ids.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from eventstream.local import pidfile
from eventstream.output import CommandError

_FORMAT = 1


class LoadRunningError(CommandError):
    """Another process is at the same load."""


@dataclass(frozen=True, slots=True)
class Done:
    """What earlier runs of a load have done."""

    ranges: tuple[tuple[int, int], ...] = ()
    """Row numbers, both ends included, ordered, without overlap."""
    accepted: int = 0
    rejected: int = 0
    shift: timedelta | None = None
    """By how much the first run moved the times."""

    @property
    def rows(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)


def progress_key(*parts: str) -> str:
    """Return the name of the progress file of a load: the same source, options and pipeline."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


def merge_ranges(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Order ranges of whole numbers and join those that touch.

    >>> merge_ranges([(5, 8), (1, 4), (10, 12)])
    ((1, 8), (10, 12))
    """
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return tuple(merged)


@dataclass
class ProgressFile:
    """The progress of one load; a context manager that keeps a second process out.

    Attributes
    ----------
    path
        Where it lies; ``.lock`` is added for the file that is locked.
    """

    path: Path
    _lock: int | None = field(default=None, init=False)
    _file: int | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        self._lock = pidfile.take(self.path.with_suffix(".lock"))
        if self._lock is None:
            holder = pidfile.holder(self.path.with_suffix(".lock"))
            raise LoadRunningError(f"this load is already running, in process {holder}")
        pidfile.write(self._lock, os.getpid())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for descriptor in (self._file, self._lock):
            if descriptor is not None:
                os.close(descriptor)
        self._file = self._lock = None

    def read(self) -> Done:
        """Return what is done; nothing when the load is new."""
        lines = _whole_lines(self.path)
        header = lines[0] if lines else {}
        if header.get("format") != _FORMAT:
            return Done()
        batches = lines[1:]
        shift_hours = header.get("shift_hours")
        return Done(
            merge_ranges((batch["first"], batch["last"]) for batch in batches),
            sum(batch["accepted"] for batch in batches),
            sum(batch["rejected"] for batch in batches),
            None if shift_hours is None else timedelta(hours=shift_hours),
        )

    def restart(self) -> None:
        """Forget what is done."""
        self.path.unlink(missing_ok=True)

    def open(self, source: str, shift: timedelta | None) -> None:
        """Get ready to record; writes the first line of a new load."""
        is_new = not _whole_lines(self.path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if is_new else 0)
        self._file = os.open(self.path, flags, 0o644)
        if is_new:
            hours = None if shift is None else shift // timedelta(hours=1)
            self._append({"format": _FORMAT, "source": source, "shift_hours": hours})
        else:
            # Part the lines from one that a killed run may have left half written.
            os.write(self._file, b"\n")

    def record(self, first: int, last: int, *, accepted: int, rejected: int) -> None:
        """Note that the API has answered for a batch of rows, both ends included."""
        self._append({"first": first, "last": last, "accepted": accepted, "rejected": rejected})

    def _append(self, line: dict[str, Any]) -> None:
        if self._file is None:
            raise ValueError("the progress file is not open")
        os.write(self._file, json.dumps(line).encode() + b"\n")


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    lines = []
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            lines.append(value)
    return lines
