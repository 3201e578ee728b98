"""From the bytes on the wire to the text they carry, in bounded time and memory.

Compression is told by the bytes, never by a header: client libraries label what they compress
in every way there is.
"""

from __future__ import annotations

import zlib

from common.errors import FieldError, InvalidRequestError, TooLargeError

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Body as it came over the wire: base64 or escapes must still fit into Lambda's 6 MB."""
MAX_DECODED_BYTES = 8 * 1024 * 1024
"""Body once decompressed."""
MAX_MEMBERS = 256
"""Compressed parts in one body: each costs a copy of the rest."""

_GZIP_MAGIC = b"\x1f\x8b"
_WITH_GZIP_HEADER = zlib.MAX_WBITS | 16


def read(body: bytes) -> bytes:
    """Return the body without its compression, if it has one.

    Raises
    ------
    TooLargeError
        The body is over its limit, compressed or not.
    InvalidRequestError
        It begins like gzip, and is damaged or cut short.
    """
    if len(body) > MAX_BODY_BYTES:
        raise _error(
            TooLargeError,
            "body_too_large",
            f"the body is over the limit of {MAX_BODY_BYTES} bytes (4 MB); send less at a time",
        )
    return _gunzip(body) if body.startswith(_GZIP_MAGIC) else body


def _gunzip(body: bytes) -> bytes:
    parts: list[bytes] = []
    room = MAX_DECODED_BYTES
    for _ in range(MAX_MEMBERS):
        part, body = _member(body, room)
        parts.append(part)
        room -= len(part)
        if not body:
            return b"".join(parts)
        if not body.startswith(_GZIP_MAGIC):
            raise _damaged("goes on after its gzip data with something else")
    raise _damaged(f"has more than {MAX_MEMBERS} gzip members; compress it as one")


def _member(body: bytes, room: int) -> tuple[bytes, bytes]:
    """Decompress one member; return it, and what comes after it and its padding."""
    unpacker = zlib.decompressobj(_WITH_GZIP_HEADER)
    try:
        part = unpacker.decompress(body, room + 1)
    except zlib.error:
        raise _damaged("is damaged gzip data") from None
    if len(part) > room:
        raise _error(
            TooLargeError,
            "body_too_large",
            f"the body is over the limit of {MAX_DECODED_BYTES} bytes (8 MB) once decompressed;"
            " send less at a time",
        )
    if not unpacker.eof:
        raise _damaged("is gzip data that was cut short")
    return part, unpacker.unused_data.lstrip(b"\0")


def _damaged(problem: str) -> InvalidRequestError:
    return _error(
        InvalidRequestError, "bad_gzip", f"the body {problem}; send it again, or uncompressed"
    )


def _error(kind: type[InvalidRequestError], rule: str, message: str) -> InvalidRequestError:
    return kind(message, errors=[FieldError("body", rule, message)])
