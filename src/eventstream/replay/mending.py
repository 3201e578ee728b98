"""Bad lines out to a file or an editor, and back in."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from common.errors import FieldError
from eventstream.output import CommandError, UsageProblemError
from eventstream.replay.account import Account
from eventstream.replay.editing import HEADER, Mended, judged, read_file, spell
from eventstream.replay.job import Objects, Verdict
from eventstream.replay.judging import Place, Rejudge
from eventstream.replay.kept import Kept
from eventstream.replay.store import WaitingObjects

STDOUT = "-"


def place_of(kept: Kept, line: int) -> Place:
    """Return where a bad line stood."""
    return Place(kept.bad.position, line, kept.bad.arrived_at)


def spell_all(
    found: Iterable[Kept], objects: WaitingObjects, rejudge: Rejudge, account: Account
) -> Iterator[str]:
    """Spell every bad line that was not replayed, and what is wrong with it today."""
    for kept in found:
        account.objects += 1
        done = objects.replayed_lines(kept.key) if kept.bad.many else frozenset()
        for number, raw in kept.lines():
            if number in done:
                continue
            verdict = rejudge.line(raw, place_of(kept, number))
            problem = verdict if isinstance(verdict, FieldError) else None
            account.lines += 1
            account.ready += problem is None
            yield spell(kept, number, raw, problem)


def write_file(lines: Iterable[str], name: str) -> None:
    """Write lines to a new file that only its owner reads, or to stdout.

    Raises
    ------
    UsageProblemError
        The file is there already, or its folder isn't.
    """
    if name == STDOUT:
        sys.stdout.writelines(f"{line}\n" for line in lines)
        return
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageProblemError(f"--export: {name} is there already: name another file") from None
    except OSError as error:
        raise UsageProblemError(f"--export: {name}: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def open_file(path: Path) -> list[Mended]:
    """Read a file of mended lines.

    Raises
    ------
    UsageProblemError
        There is none, or a line of it can't be used.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return read_file(file, path.name)
    except OSError as error:
        raise UsageProblemError(f"--from-file: {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageProblemError(f"--from-file: {path} is not UTF-8") from None


def edit(lines: Sequence[str]) -> Path:
    """Open lines in the user's editor and return the file as it was left.

    Raises
    ------
    CommandError
        There is none, it failed, or nothing was changed.
    """
    editor = _editor()
    descriptor, name = tempfile.mkstemp(prefix="eventstream-replay-", suffix=".ndjson")
    path = Path(name)
    text = HEADER + "".join(f"{line}\n" for line in lines)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    try:
        code = subprocess.run([*shlex.split(editor), name], check=False).returncode
    except OSError as error:
        path.unlink()
        raise CommandError(
            f"the editor {editor} can't be run ({error.strerror}): set EDITOR, or use --export"
        ) from None
    if code == 0 and path.read_text(encoding="utf-8") != text:
        return path
    path.unlink()
    if code != 0:
        raise CommandError(f"the editor ended with code {code}: nothing was replayed")
    raise CommandError("nothing was changed, so nothing was replayed")


def _editor() -> str:
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not named and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandError("--edit needs a terminal or an EDITOR: use --export and --from-file")
    return named or "vi"


class MendedLines:
    """What a file says of bad lines, and which of it was used.

    Attributes
    ----------
    keys
        The objects that it names.
    """

    def __init__(self, mended: Sequence[Mended], rejudge: Rejudge) -> None:
        self._lines = {(each.key, each.line): each for each in mended}
        self._rejudge = rejudge
        self._used: set[tuple[str, int]] = set()
        self.keys = frozenset(each.key for each in mended)

    def judge(self, kept: Kept, line: int, raw: bytes) -> Verdict | None:
        """Judge what the file says in place of a line; ``None`` when it says nothing."""
        mended = self._lines.get((kept.key, line))
        if mended is None:
            return None
        self._used.add((kept.key, line))
        return judged(mended, kept, raw, place_of(kept, line), self._rejudge)

    def tell_rest(self, objects: Objects, replayed: Iterable[str], account: Account) -> None:
        """Tell of what the file says of lines that don't wait for a replay."""
        gone = set(replayed)
        for key, line in sorted(self._lines.keys() - self._used):
            if key in gone:
                continue
            if line in objects.replayed_lines(key):
                account.replayed_before += 1
            else:
                error = FieldError("key", "not_found", "no such line is in quarantine")
                account.still_bad(key, line, error)
