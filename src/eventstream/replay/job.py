"""One replay from start to end: judge what lies there, send it, move what is done with.

Guarantees, whenever it is killed and whatever the stream answers: an object moves only after the
stream acknowledged every line of it; a line that is sent again is the same event, under the same
id, with the same times, and flagged, so that the lake holds it once after readers drop copies and
no hot counter takes it. What is left to do is what still lies there: the same command goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from common.adapters.calls import in_parallel
from common.errors import FieldError
from eventstream.replay.account import Account
from eventstream.replay.batches import NoRecordsError, lines_of
from eventstream.replay.failed import Failed
from eventstream.replay.judging import Place, Ready, Rejudge
from eventstream.replay.kept import Kept, UnreadableObjectError
from eventstream.replay.sending import Sender

LINES_AT_ONCE = 1_000
"""Lines that are sent together, and bytes of them: at most so many are sent twice by a kill."""
BYTES_AT_ONCE = 4_000_000

Verdict = Ready | FieldError
JudgeLine = Callable[[Kept, int, bytes], Verdict | None]
"""Says what becomes of a bad line; ``None`` leaves it where it is, unmentioned."""


class Objects(Protocol):
    """Where the objects lie; :class:`eventstream.replay.store.Waiting` in a bucket."""

    def replayed_lines(self, key: str) -> frozenset[int]: ...
    def note_lines(self, key: str, lines: Iterable[int]) -> None: ...
    def settle(self, key: str) -> None: ...
    def drop(self, key: str) -> None: ...


@dataclass
class Pending:
    """An object some lines of which are on their way."""

    key: str
    ready: int = 0
    """Lines that are queued."""
    taken: list[int] = field(default_factory=list)
    """Lines that the stream acknowledged."""
    whole: bool = True
    """Whether every line of it is ready."""

    @property
    def is_done(self) -> bool:
        """Whether nothing of it stays behind."""
        return self.whole and len(self.taken) == self.ready


class Replay:
    """Sends lines, and moves the objects whose every line was acknowledged.

    Parameters
    ----------
    objects
        Where the objects lie.
    sender
        The streams; ``None`` sends and moves nothing.
    account
        Is told everything.
    """

    def __init__(self, objects: Objects, sender: Sender | None, account: Account) -> None:
        self._objects = objects
        self._sender = sender
        self.account = account
        self._waiting: list[tuple[Pending, int, Ready]] = []
        self._bytes = 0
        self._open: list[Pending] = []

    def drop(self, key: str) -> None:
        """Drop an object that an earlier run was done with.

        It died between copy and delete; or the stream delivered the line once more since.
        """
        self.account.replayed_before += 1
        if self._sender is not None:
            self._objects.drop(key)

    def take(self, pending: Pending, line: int, verdict: Verdict) -> None:
        """Queue a line that is ready, and tell of one that isn't."""
        self.account.lines += 1
        if isinstance(verdict, FieldError):
            pending.whole = False
            self.account.still_bad(pending.key, line, verdict)
            return
        self.account.ready += 1
        self.account.types[verdict.event_type] += 1
        pending.ready += 1
        self._waiting.append((pending, line, verdict))
        self._bytes += len(verdict.data)

    def end(self, pending: Pending) -> bool:
        """End an object; say whether the stream still takes what it is given."""
        self._open.append(pending)
        if len(self._waiting) >= self._at_once or self._bytes >= BYTES_AT_ONCE:
            return self.flush()
        return True

    @property
    def _at_once(self) -> int:
        rate = self._sender.pace.rate if self._sender else None
        return LINES_AT_ONCE if rate is None else max(1, min(LINES_AT_ONCE, int(rate)))

    def flush(self) -> bool:
        """Send what is queued, then move what is done with."""
        waiting, finished = self._waiting, self._open
        self._waiting, self._open, self._bytes = [], [], 0
        if self._sender is None:
            return True
        size = self._at_once
        some = [waiting[at : at + size] for at in range(0, len(waiting), size)]
        taking = True
        for part in some:
            taking = taking and self._send(self._sender, part)
        self.account.unacknowledged += len(waiting) - sum(len(each.taken) for each in finished)
        in_parallel(self._close, finished)
        self.account.moved += sum(each.is_done for each in finished)
        return taking

    def _send(self, sender: Sender, part: Sequence[tuple[Pending, int, Ready]]) -> bool:
        answers = sender.send([ready for _, _, ready in part])
        for (pending, line, _), taken in zip(part, answers, strict=True):
            if taken:
                pending.taken.append(line)
                self.account.sent += 1
        return all(answers)

    def _close(self, pending: Pending) -> None:
        if pending.is_done:
            self._objects.settle(pending.key)
        elif pending.taken and not pending.whole:
            # The rest is to be mended, and these lines not to be sent each time some of it is.
            self._objects.note_lines(pending.key, pending.taken)


Found = Iterable[tuple[Any, bool]]
"""Objects as they were read, or what was wrong with them; and whether they were replayed before."""


def replay_quarantine(
    replay: Replay, objects: Objects, found: Found, judge: JudgeLine
) -> Iterator[int]:
    """Replay objects of the quarantine; yields 1 for each, and ends when the stream stops taking.

    Only bad lines are replayed: the good ones of a record that is kept whole are in the lake.
    """

    def one(kept: Kept) -> bool:
        pending = Pending(kept.key)
        done = objects.replayed_lines(kept.key) if kept.bad.many else frozenset()
        for line, raw in kept.lines():
            if line in done:
                continue
            verdict = judge(kept, line, raw)
            if verdict is None:
                pending.whole = False
            else:
                replay.take(pending, line, verdict)
        return replay.end(pending)

    return _each(replay, found, one)


def _each(replay: Replay, found: Found, one: Callable[[Any], bool]) -> Iterator[int]:
    for each, before in found:
        replay.account.objects += 1
        if before:
            replay.drop(each.key)
        elif isinstance(each, UnreadableObjectError):
            replay.account.refuse(each.key, "unreadable", str(each))
        elif not one(each):
            return
        yield 1
    replay.flush()


class Quarantine(Protocol):
    """Where bad lines of given-up batches go, once each."""

    def keep(self, bad: Sequence[Any]) -> None: ...


def replay_failures(
    replay: Replay, found: Found, rejudge: Rejudge, quarantine: Quarantine | None
) -> Iterator[int]:
    """Replay given-up batches; yields 1 for each, and ends when the stream stops taking.

    Their bad lines go into quarantine under their own position, as if the process function had
    come so far; a line that lies there, or was replayed from there, is left as it is.
    """

    def one(failed: Failed) -> bool:
        try:
            lines, bad = lines_of(failed)
        except NoRecordsError as error:
            replay.account.refuse(failed.key, error.rule, str(error))
            return True
        pending = Pending(failed.key)
        for number, (raw, position, line) in enumerate(lines):
            replay.take(pending, number, rejudge.line(raw, Place(position, line, None)))
        if quarantine is not None:
            quarantine.keep(bad)
        replay.account.quarantined += sum(each.count for each in bad)
        return replay.end(pending)

    return _each(replay, found, one)


def summary(figures: Mapping[str, int]) -> str:
    """Spell figures in one line, those that are nothing left out.

    >>> summary({"sent": 1200, "bad": 0, "moved": 3})
    '1,200 sent, 3 moved'
    """
    return ", ".join(f"{count:,} {name}" for name, count in figures.items() if count)
