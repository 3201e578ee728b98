"""Ids for events that came without one."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from common.errors import FieldError, InvalidRequestError

MAX_KEY_LENGTH = 256
"""Characters of an ``Idempotency-Key``."""
ENTROPY_BYTES = 10
"""Random bytes that one id takes."""

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:eventstream:idempotency-key")


def time_ordered_ids(at_ms: int, entropy: bytes) -> list[str]:
    """Make UUIDs of version 7 (RFC 9562, section 5.7), one per ten bytes of entropy.

    Parameters
    ----------
    at_ms
        Epoch milliseconds that every id begins with.
    entropy
        Random bytes, all taken at once because asking the system for each id is slow.

    Examples
    --------
    >>> time_ordered_ids(1_771_596_000_000, bytes(10))
    ['019c7b59-ab00-7000-8000-000000000000']
    """
    time = f"{at_ms:012x}"
    prefix = f"{time[:8]}-{time[8:]}"
    ids = []
    for start in range(0, len(entropy), ENTROPY_BYTES):
        bits = int.from_bytes(entropy[start : start + ENTROPY_BYTES], "big")
        version = 0x7000 | (bits >> 62 & 0xFFF)
        variant = 0x8000_0000_0000_0000 | (bits & 0x3FFF_FFFF_FFFF_FFFF)
        tail = f"{variant:016x}"
        ids.append(f"{prefix}-{version:04x}-{tail[:4]}-{tail[4:]}")
    return ids


def derived_ids(source: str, key: str, count: int) -> list[str]:
    """Return the ids of the events of a request that carries an ``Idempotency-Key``.

    The same request, sent again, gets the same ids, so its events are counted once.
    """
    return [str(uuid.uuid5(_NAMESPACE, f"{source}|{key}|{index}")) for index in range(count)]


def idempotency_key(headers: Mapping[str, str]) -> str | None:
    """Return the ``Idempotency-Key`` of a request, if it has one.

    Raises
    ------
    InvalidRequestError
        The header is empty, too long or not printable.
    """
    key = headers.get("idempotency-key")
    if key is None or (0 < len(key) <= MAX_KEY_LENGTH and key.isprintable()):
        return key
    message = f"Idempotency-Key must have 1 to {MAX_KEY_LENGTH} printable characters"
    error = FieldError("Idempotency-Key", "bad_format", message)
    raise InvalidRequestError(message, errors=[error])
