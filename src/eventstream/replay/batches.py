"""The lines of a batch that the mapping gave up on."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from common.adapters.lake import S3Lake
from common.domain.bad_lines import BadLine, Position
from common.domain.decode import decode_batch
from common.domain.keys import quarantine_key
from eventstream.output import CommandError
from eventstream.replay.failed import Failed
from eventstream.replay.kept import bad_lines
from eventstream.replay.store import WaitingObjects

Line = tuple[bytes, Position, int]
"""A line as it stands in its record, and where."""


class NoRecordsError(CommandError):
    """A given-up batch holds no records that could be put again."""

    def __init__(self, message: str, rule: str) -> None:
        super().__init__(message)
        self.rule = rule


def lines_of(failed: Failed) -> tuple[list[Line], list[BadLine]]:
    """Return the good lines of a batch, and its bad ones as they belong into quarantine.

    Raises
    ------
    NoRecordsError
        It holds a description of the batch only, or records of something else.
    """
    if failed.records is None:
        raise NoRecordsError(
            "holds no records, only which ones they were, as queues and topics get it: read "
            f"{failed.first} to {failed.last} of {failed.shard} from the stream while it still "
            "has them, and make the bucket the mapping's on-failure destination",
            "no_payload",
        )
    good: list[Line] = []
    bad: list[BadLine] = []
    for record in failed.records:
        try:
            batch = decode_batch([record])
        except (ValueError, LookupError, TypeError, AttributeError):
            raise NoRecordsError(
                "its payload holds something that is no record of a Kinesis stream", "no_record"
            ) from None
        bad += batch.bad
        if batch.lines:
            packed = base64.b64decode(record["kinesis"]["data"]).split(b"\n")
            good += [(packed[each.line], each.position, each.line) for each in batch.lines]
    return good, bad


@dataclass(frozen=True, slots=True)
class AnyLine:
    """A line of a batch, good or bad."""

    sequence: str
    line: int
    raw: bytes
    reason: str | None
    """Why it is bad; ``None`` for a good one."""


def every_line(failed: Failed) -> list[AnyLine]:
    """Return the lines of a batch in their order.

    Raises
    ------
    NoRecordsError
        As by :func:`lines_of`.
    """
    good, bad = lines_of(failed)
    lines = [AnyLine(at.sequence, number, raw, None) for raw, at, number in good]
    for each in bad:
        at = each.position
        lines += [AnyLine(at.sequence, number, raw, each.reason) for number, raw in bad_lines(each)]
    return sorted(lines, key=lambda one: (int(one.sequence), one.line))


class BadLineKeeper:
    """Puts bad lines into quarantine that are not there and were not replayed from there."""

    def __init__(self, waiting: WaitingObjects) -> None:
        self._lake = S3Lake(waiting.client, waiting.bucket)
        self._waiting = waiting

    def keep(self, bad: Sequence[BadLine]) -> None:
        """Write them; those that are there already stay as they are."""
        self._lake.put_quarantine([each for each in bad if not self._was_replayed(each)])

    def _was_replayed(self, bad: BadLine) -> bool:
        at = bad.position
        key = quarantine_key(at.stream, at.shard, at.sequence, bad.line)
        return self._waiting.was_replayed(key)
