"""A quarantine object, read back: the bad line that it keeps, or the record of many."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.domain.bad_lines import BadLine, ManyLines, Position
from common.domain.decode import REJECTED_PREFIX
from common.models import parse_instant
from eventstream.output import CommandError
from eventstream.replay.printable import printable


class UnreadableObjectError(CommandError):
    """An object is not what belongs where it lies."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(
            f"{printable(key)} {message}: leave it out, or look at it with `aws s3 cp`"
        )
        self.key = key


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a bucket lists it."""

    key: str
    size: int
    written_at: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """One object of the quarantine."""

    listed: Listed
    bad: BadLine

    @property
    def key(self) -> str:
        """Return the object's key."""
        return self.listed.key

    @property
    def short_id(self) -> str:
        """Return the end of the key that names the object: sequence number and line."""
        return self.key.rpartition("/")[2].removesuffix(".json")

    @property
    def at(self) -> datetime:
        """Return when the record arrived on the stream, else when the object was written."""
        return self.bad.arrived_at or self.listed.written_at

    @property
    def reasons(self) -> Mapping[str, int]:
        """Return its bad lines by reason."""
        return self.bad.many.reasons if self.bad.many else {self.bad.reason: 1}

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield each bad line with its number."""
        return bad_lines(self.bad)


def bad_lines(bad: BadLine) -> Iterator[tuple[int, bytes]]:
    """Yield each bad line with its number; good lines of a whole record are not among them."""
    if bad.many is None:
        yield bad.line, bad.raw
        return
    lines = bad.raw.split(b"\n")
    for first, last in bad.many.ranges:
        for number in range(first, min(last + 1, len(lines))):
            if lines[number].strip():
                yield number, lines[number]


def read_kept(listed: Listed, body: bytes) -> Kept:
    """Read a quarantine object.

    Raises
    ------
    UnreadableObjectError
        It is none.
    """
    try:
        found = json.loads(body)
        at = Position(str(found["stream"]), str(found["shard"]), str(found["sequence"]))
        arrived_at = found["arrived_at"]
        bad = BadLine(
            at,
            int(found["line"]),
            str(found["reason"]),
            str(found["field"]) if found.get("field") else None,
            parse_instant(arrived_at) if arrived_at else None,
            base64.b64decode(found["raw_base64"], validate=True),
            _many(found),
        )
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        why = f"is no object of the quarantine ({type(error).__name__})"
        raise UnreadableObjectError(listed.key, why) from None
    return Kept(listed, bad)


def _many(found: Mapping[str, Any]) -> ManyLines | None:
    if "bad_ranges" not in found:
        return None
    reasons = {str(name): int(count) for name, count in found["reasons"].items()}
    ranges = tuple((int(first), int(last)) for first, last in found["bad_ranges"])
    return ManyLines(reasons, ranges)


@dataclass(frozen=True, slots=True)
class Rejection:
    """A line that keeps the message of a client library that ingest rejected."""

    why: Mapping[str, Any]
    """``rule``, ``field``, ``message``, ``surface``, ``source``, ``received_at``, ..."""
    message: str | None
    """The message as JSON text; ``None`` when none of it could be kept."""


def read_rejection(raw: bytes) -> Rejection | None:
    """Read a line that ingest wrote for a rejected message; ``None`` when it is another line."""
    if not raw.startswith(REJECTED_PREFIX):
        return None
    try:
        found = json.loads(raw)
        why, message = found["rejected"], found["raw"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if not isinstance(why, dict) or not isinstance(message, str | None):
        return None
    return Rejection(why, message)
