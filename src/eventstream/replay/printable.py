"""Text of strangers, made safe to print: it may hold codes that a terminal obeys."""

from __future__ import annotations

import json
import re
import sys

_HEX_BYTES = 512
_HEX_WIDTH = 16
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


def printable(text: str, most: int | None = None) -> str:
    r"""Return a text on one line, each character that is not printable by its escape.

    That leaves neither escape codes nor the marks that turn the direction of writing.

    >>> printable("a\x1b[2J\u202eb")
    'a\\x1b[2J\\u202eb'
    """
    cut = text if most is None or len(text) <= most else f"{text[: most - 3]}..."
    if cut.isprintable():
        return cut
    return "".join(each if each.isprintable() else _escape(each) for each in cut)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def as_text(raw: bytes) -> str | None:
    """Return bytes as text; ``None`` when they are none."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def hex_lines(raw: bytes) -> list[str]:
    r"""Spell the first bytes in hexadecimal, with what is printable of them beside.

    >>> hex_lines(b"a\xff")
    ['00000000  61 ff                                            a.']
    """
    lines = []
    for at in range(0, min(len(raw), _HEX_BYTES), _HEX_WIDTH):
        some = raw[at : min(at + _HEX_WIDTH, _HEX_BYTES)]
        beside = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in some)
        lines.append(f"{at:08x}  {some.hex(' '):{3 * _HEX_WIDTH}} {beside}")
    if len(raw) > _HEX_BYTES:
        lines.append(f"... {len(raw):,} bytes in all; --json has them in base64")
    return lines


def dumps(value: object) -> str:
    r"""Spell a value as one line of JSON in which every character is printable.

    >>> dumps({"name": "Zoë\u009b2J"})
    '{"name":"Zoë\\u009b2J"}'
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _UNPRINTABLE.sub(lambda found: _spelled(found[0]), text)


def _spelled(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]


def print_safe_json(value: object) -> None:
    """Print one JSON document to stdout, in ASCII: the same values, and nothing to obey."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=True, default=str) + "\n")
