"""Running a replay from the command line: what is chosen, judged, sent, and told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from common.config import IngestConfig
from eventstream.output import CommandError, UsageProblemError, note, plural
from eventstream.progress import progress
from eventstream.replay import pipeline
from eventstream.replay.account import Account
from eventstream.replay.batches import BadLineKeeper
from eventstream.replay.choice import Choice
from eventstream.replay.editing import Mended
from eventstream.replay.job import JudgeLine, Replay, Verdict, replay_failures, replay_quarantine
from eventstream.replay.judging import Rejudge
from eventstream.replay.kept import Kept, Listed, UnreadableObjectError
from eventstream.replay.mending import (
    STDOUT,
    MendedLines,
    edit,
    open_file,
    place_of,
    spell_all,
    write_file,
)
from eventstream.replay.printable import printable
from eventstream.replay.store import WaitingObjects
from eventstream.target import Target


@dataclass(frozen=True)
class Wanted:
    """Which objects, and how many of them."""

    objects: WaitingObjects
    choice: Choice
    ids: list[str] | None
    limit: int | None

    def listed(self) -> list[Listed]:
        """Return what may be wanted, oldest first: events come in the order they had."""
        found = self.objects.named(self.ids) if self.ids else self.objects.listed()
        return sorted(self.choice.of(found), key=lambda one: (one.written_at, one.key))

    def read(self, listed: Iterable[Listed]) -> Iterator[tuple[Any, bool]]:
        """Read what is wanted, and whether it was replayed before."""
        found = (
            (one, before)
            for one, before in self.objects.read_for_replay(listed)
            if isinstance(one, UnreadableObjectError) or self.choice.holds(one)
        )
        return islice(found, self.limit)


@dataclass(frozen=True)
class Sending:
    """How lines are sent, if they are."""

    target: Target
    config: IngestConfig
    rate: float | None
    give_up_after_s: float
    dry_run: bool

    def replay(self, objects: WaitingObjects, account: Account) -> Replay:
        """Return what sends lines and moves objects, or only counts them."""
        if self.dry_run:
            return Replay(objects, None, account)
        sender = pipeline.sender(self.target, self.config, self.rate, self.give_up_after_s)
        return Replay(objects, sender, account)


def run_quarantine(
    wanted: Wanted, rejudge: Rejudge, mended: Sequence[Mended] | None, sending: Sending
) -> Account:
    """Replay lines of the quarantine, or what a file says in place of them."""
    account = Account("quarantine", sending.dry_run)
    work = sending.replay(wanted.objects, account)
    listed = wanted.listed()
    file = None if mended is None else MendedLines(mended, rejudge)
    if file is not None:
        listed = [one for one in listed if one.key in file.keys]

    def as_it_is(kept: Kept, line: int, raw: bytes) -> Verdict:
        return rejudge.line(raw, place_of(kept, line))

    judge: JudgeLine = as_it_is if file is None else file.judge
    total = min(len(listed), wanted.limit or len(listed))
    _run(replay_quarantine(work, wanted.objects, wanted.read(listed), judge), total, account)
    if file is not None and not account.interrupted:
        gone = file.keys - {one.key for one in listed}
        before = [key for key in gone if wanted.objects.was_replayed(key)]
        account.replayed_before += len(before)
        file.tell_rest(wanted.objects, before, account)
    return account


def _run(steps: Iterator[int], total: int, account: Account) -> None:
    with progress("replaying", total) as shown:
        try:
            for done in steps:
                shown.advance(done)
        except KeyboardInterrupt:
            account.interrupted = True


def _kept(wanted: Wanted) -> Iterator[Kept]:
    for one, before in wanted.read(wanted.listed()):
        if isinstance(one, UnreadableObjectError):
            note(printable(str(one)))
        elif not before:
            yield one


def run_failures(wanted: Wanted, sending: Sending) -> Account:
    """Replay batches that were given up."""
    account = Account("failures", sending.dry_run)
    work = sending.replay(wanted.objects, account)
    keeper = None if sending.dry_run else BadLineKeeper(pipeline.quarantine(sending.target))
    listed = wanted.listed()
    steps = replay_failures(work, wanted.read(listed), Rejudge(sending.config), keeper)
    _run(steps, min(len(listed), wanted.limit or len(listed)), account)
    return account


def export_lines(wanted: Wanted, rejudge: Rejudge, name: str) -> None:
    """Write the lines that wait to a file, and replay none."""
    account = Account("quarantine")
    write_file(spell_all(_kept(wanted), wanted.objects, rejudge, account), name)
    where = "" if name == STDOUT else f" to {name}"
    note(
        f"wrote {plural(account.lines, 'line')} of {plural(account.objects, 'object')}{where}; "
        f"{account.ready:,} of them are events already"
    )


def edit_lines(wanted: Wanted, rejudge: Rejudge) -> tuple[Path, list[Mended]] | None:
    """Let the user mend the lines that wait; ``None`` when there are none.

    Raises
    ------
    CommandError
        Nothing was changed, or what was written can't be read: it is kept.
    """
    account = Account("quarantine")
    lines = list(spell_all(_kept(wanted), wanted.objects, rejudge, account))
    if not lines:
        return None
    path = edit(lines)
    try:
        return path, open_file(path)
    except UsageProblemError as error:
        said = f"{error}. Your edit is kept: mend {path} and give it to --from-file"
        raise CommandError(said) from None
