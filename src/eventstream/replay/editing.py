"""Kept lines as a file to mend: one JSON object a line, each named by where it lies."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from common.errors import FieldError
from eventstream.output import UsageProblemError, spell_json_error
from eventstream.replay.judging import Place, Ready, Rejudge
from eventstream.replay.kept import Kept, read_rejection
from eventstream.replay.printable import as_text, dumps

CONTENTS = ("event", "message", "text", "base64")
"""Members that hold a line; exactly one of them is given."""

HEADER = """\
# One line of JSON for each bad line. Mend what is in its "event", "message" or "text", save, and
# leave. "problem" says what is wrong with it now. A line that you delete stays in quarantine.
#   "event"    as the stream carries it: event_id, event_type, timestamp, timestamp_source,
#              received_at, ingested_at, schema_version, and what else it has
#   "message"  as the client sent it; in place of "event" or "text": an event as POST /events
#              takes it, {"event_type": "purchase", ...}, and the rest is filled in
# "key" and "line" name the line: leave them alone. Delete everything to replay nothing.
"""


@dataclass(frozen=True, slots=True)
class Mended:
    """What a file says of one line."""

    key: str
    line: int
    content: str
    """Which of :data:`CONTENTS` it is."""
    value: object


def spell(kept: Kept, number: int, raw: bytes, problem: FieldError | None) -> str:
    """Spell a bad line for the file."""
    rejection = read_rejection(raw)
    item: dict[str, Any] = {
        "key": kept.key,
        "line": number,
        "reason": rejection.why.get("rule") if rejection else kept.bad.reason,
        "problem": problem.as_dict() if problem else None,
    }
    if rejection is not None:
        shown = {name: rejection.why.get(name) for name in ("surface", "source", "received_at")}
        return dumps(item | shown | _content("message", rejection.message or ""))
    text = as_text(raw)
    if text is None:
        return dumps(item | {"base64": base64.b64encode(raw).decode()})
    return dumps(item | _content("event", text))


def _content(name: str, text: str) -> dict[str, Any]:
    """Return a line as the object that it is, else as text."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
        text.encode()
        dumps(value).encode()
    except (ValueError, RecursionError):
        value = None
    return {name: value} if isinstance(value, dict) else {"text": text}


def _no_constant(name: str) -> None:
    raise ValueError(name)


def read_file(lines: Iterable[str], name: str) -> list[Mended]:
    """Read a file of mended lines; blank lines and those that begin with ``#`` are left out.

    Raises
    ------
    UsageProblemError
        Naming the line of the file and what is wrong with it.
    """
    mended: dict[tuple[str, int], Mended] = {}
    for number, text in enumerate(lines, 1):
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        try:
            found = json.loads(text)
        except ValueError as error:
            raise UsageProblemError(f"{name} {spell_json_error(error, number)}") from None
        one = _mended(found, f"{name}, line {number}")
        if (one.key, one.line) in mended:
            raise UsageProblemError(f"{name}, line {number}: names the same bad line twice")
        mended[one.key, one.line] = one
    return list(mended.values())


def _mended(found: object, where: str) -> Mended:
    if not isinstance(found, dict):
        raise UsageProblemError(f"{where}: must be a JSON object")
    key, line = found.get("key"), found.get("line")
    if not isinstance(key, str) or not isinstance(line, int):
        raise UsageProblemError(f'{where}: needs the "key" and "line" that it was exported with')
    given = [name for name in CONTENTS if name in found]
    if len(given) != 1:
        raise UsageProblemError(f"{where}: needs exactly one of {', '.join(CONTENTS)}")
    content = given[0]
    kind = dict if content in ("event", "message") else str
    if not isinstance(found[content], kind):
        said = "a JSON object" if kind is dict else "text"
        raise UsageProblemError(f"{where}: {content} must be {said}")
    return Mended(key, line, content, found[content])


def judged(
    mended: Mended, kept: Kept, raw: bytes, place: Place, rejudge: Rejudge
) -> Ready | FieldError:
    """Judge what a file says in place of a bad line; unchanged, the line as it lies there."""
    if _is_unchanged(mended, kept, raw):
        return rejudge.line(raw, place)
    rejection = read_rejection(raw)
    why: Mapping[str, Any] | None = rejection.why if rejection else None
    if mended.content == "message":
        return rejudge.message(json.dumps(mended.value), why, place)
    if mended.content == "text" and rejection is not None:
        return rejudge.message(str(mended.value), why, place)
    try:
        return rejudge.line(_bytes(mended), place)
    except (binascii.Error, ValueError):
        return FieldError(mended.content, "not_readable", f"{mended.content} can't be read")


def _is_unchanged(mended: Mended, kept: Kept, raw: bytes) -> bool:
    was = json.loads(spell(kept, mended.line, raw, None))
    # As text: to Python 1, 1.0 and true are equal.
    return mended.content in was and dumps(was[mended.content]) == dumps(mended.value)


def _bytes(mended: Mended) -> bytes:
    if mended.content == "base64":
        return base64.b64decode(str(mended.value), validate=True)
    if mended.content == "text":
        return str(mended.value).encode().strip(b"\n")
    return json.dumps(mended.value, ensure_ascii=False, separators=(",", ":")).encode()
