"""Ids for events that came without one."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Mapping

import msgspec

from common.errors import FieldError, InvalidRequestError
from common.models import IngestEvent

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


class KeyedIds:
    """Ids for the events of one request that carries an ``Idempotency-Key``.

    An id is made of the key, of what the event says, and of how many equal events stood before it
    in the request. So a request that is sent again keeps its ids, a part of it does too, and no
    two events that differ ever share one, whoever else uses the same key.
    """

    def __init__(self, source: str, key: str) -> None:
        self._prefix = f"{source}|{key}|"
        self._seen: Counter[str] = Counter()

    def of(self, event: IngestEvent) -> str:
        """Return the id of the next event of the request that has none of its own."""
        digest = hashlib.sha256(_canonical(event)).hexdigest()
        nth = self._seen[digest]
        self._seen[digest] += 1
        return str(uuid.uuid5(_NAMESPACE, f"{self._prefix}{digest}|{nth}"))


def _canonical(event: IngestEvent) -> bytes:
    """Spell what a client sent in one way, whatever its spelling of names, times and order."""
    told = {name: getattr(event, name) for name in IngestEvent.model_fields}
    given = {name: value for name, value in told.items() if value is not None}
    content = msgspec.to_builtins(given)
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


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
