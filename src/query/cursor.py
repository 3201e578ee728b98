"""Where a listing goes on: opaque text that needs no secret, for it can name nothing private."""

from __future__ import annotations

import base64
import binascii


def encode(*parts: str) -> str:
    """Pack the parts of a position; a part holds no newline.

    >>> decode(encode("2026-11-20T09", "2026-11-21T00"), 2)
    ['2026-11-20T09', '2026-11-21T00']
    """
    return base64.urlsafe_b64encode("\n".join(parts).encode()).decode().rstrip("=")


def decode(text: str, count: int) -> list[str]:
    """Unpack a cursor of ``count`` parts.

    Raises
    ------
    ValueError
        ``text`` is not such a cursor.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        parts = base64.b64decode(padded, altchars=b"-_", validate=True).decode().split("\n")
    except (binascii.Error, UnicodeError):
        raise ValueError("not a cursor") from None
    if len(parts) != count:
        raise ValueError("a cursor of another listing")
    return parts
