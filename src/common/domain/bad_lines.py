"""Lines that no retry can fix, as they will lie in quarantine."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from common.domain.windows import rfc3339
from common.errors import PoisonLineError

MAX_BAD_LINES = 100
"""Bad lines of one record that are kept one by one; with more, the record is kept whole."""
MANY_BAD_LINES = "many_bad_lines"
"""Reason of a record that is kept whole."""


class Position(msgspec.Struct, frozen=True, gc=False):
    """Where a record stands: sequence numbers order the records of one shard."""

    stream: str
    shard: str
    sequence: str
    """Decimal number of up to 56 digits, as Kinesis spells it."""


@dataclass(frozen=True, slots=True)
class ManyLines:
    """Which lines of a record are bad, and why."""

    reasons: Mapping[str, int]
    """Bad lines by reason."""
    ranges: Sequence[tuple[int, int]]
    """First and last line of each run of bad lines; blank lines do not end a run."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that no retry can fix, or a record of many such lines."""

    position: Position
    line: int
    """Of a whole record, its first bad line."""
    reason: str
    """Stable code of the rule that was broken; never the value."""
    field: str | None
    arrived_at: datetime | None
    raw: bytes
    many: ManyLines | None = None
    """With it, ``raw`` is the whole record, good lines and all."""

    @property
    def count(self) -> int:
        """Number of bad lines that this stands for."""
        return sum(self.many.reasons.values()) if self.many else 1

    def as_json(self) -> bytes:
        """Return the bytes of the quarantine object: the same for each delivery."""
        body = {
            "reason": self.reason,
            **({"field": self.field} if self.field else {}),
            "stream": self.position.stream,
            "shard": self.position.shard,
            "sequence": self.position.sequence,
            "line": self.line,
            **(_spelled(self.many) if self.many else {}),
            "arrived_at": rfc3339(self.arrived_at) if self.arrived_at else None,
            "raw_base64": base64.b64encode(self.raw).decode(),
        }
        return json.dumps(body, separators=(",", ":")).encode()


def _spelled(many: ManyLines) -> dict[str, Any]:
    reasons = dict(sorted(many.reasons.items()))
    return {"bad_lines": sum(reasons.values()), "reasons": reasons, "bad_ranges": many.ranges}


class BadLines:
    """Gathers the bad lines of one record, in order, in little memory however many there are."""

    __slots__ = ("_arrived_at", "_first", "_in_range", "_position", "_ranges", "_reasons")

    def __init__(self, position: Position, arrived_at: datetime | None) -> None:
        self._position = position
        self._arrived_at = arrived_at
        self._first: list[BadLine] = []
        # No Counter: most records have no bad line, and to make one takes as long as to read one.
        self._reasons: dict[str, int] = {}
        self._ranges: list[tuple[int, int]] = []
        self._in_range = False

    def add(self, line: int, error: PoisonLineError, raw: bytes) -> None:
        """Note a bad line."""
        [problem] = error.errors
        self._reasons[problem.rule] = self._reasons.get(problem.rule, 0) + 1
        begin = self._ranges.pop()[0] if self._in_range else line
        self._ranges.append((begin, line))
        self._in_range = True
        if len(self._first) < MAX_BAD_LINES:
            bad = BadLine(self._position, line, problem.rule, problem.field, self._arrived_at, raw)
            self._first.append(bad)

    def end_run(self) -> None:
        """Note that a good line came."""
        self._in_range = False

    def found(self, record: bytes) -> Sequence[BadLine]:
        """Return the bad lines, or one entry for the record when they are too many.

        It depends on the record alone, so that each delivery writes the same objects.

        Parameters
        ----------
        record
            The bytes of the whole record.
        """
        if not self._reasons or sum(self._reasons.values()) <= MAX_BAD_LINES:
            return self._first
        many = ManyLines(self._reasons, tuple(self._ranges))
        whole = replace(self._first[0], reason=MANY_BAD_LINES, field=None, raw=record, many=many)
        return [whole]
