"""What the event index holds of a message that ingest rejected: where it lies, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from pydantic_core import PydanticCustomError

from common.domain.bad_lines import BadLine
from common.domain.decode import REJECTED_PREFIX
from common.domain.event_index import IndexEntry, address, event_key
from common.domain.keys import quarantine_key
from common.domain.packing import packed
from common.domain.windows import to_ms
from common.models import parse_instant

_ID_NAMES = {"segment": "messageId", "amplitude": "insert_id"}
_MAX_REASON, _MAX_FIELD = 64, 256
MAX_REJECTIONS = 1_000
"""Rejected messages of one record that are indexed, the first ones: about as many as ingest packs
into one. A record of others could hold ten thousands, and there is a transaction for each 100."""


def rejections(bad: BadLine) -> Iterator[IndexEntry]:
    """Return the entries of what ingest rejected under a known id, as it lies in quarantine.

    It depends on the record alone which they are, so that each delivery claims the same.
    """
    lines = enumerate(bad.raw.split(b"\n")) if bad.many else [(bad.line, bad.raw)]
    rejected = ((number, raw) for number, raw in lines if raw.startswith(REJECTED_PREFIX))
    for number, raw in islice(rejected, MAX_REJECTIONS):
        why, message = _rejection(raw)
        event_id = why.get("event_id") or _own_id(why.get("surface"), message)
        key = event_key(why.get("source"), event_id)
        if key is None:
            continue
        at = bad.position
        received_ms = _instant_ms(why.get("received_at"))
        arrived_ms = to_ms(bad.arrived_at) if bad.arrived_at else received_ms
        yield IndexEntry(
            key,
            "quarantined",
            address(at, number),
            arrived_ms or 0,
            received_ms,
            quarantine_key(at.stream, at.shard, at.sequence, bad.line),
            packed(raw),
            reason=_text(why.get("rule") if bad.many else bad.reason, _MAX_REASON),
            field=_text(why.get("field") if bad.many else bad.field, _MAX_FIELD),
        )


def _rejection(raw: bytes) -> tuple[Mapping[str, Any], object]:
    """Return what ingest says of a message that it rejected, and the message's text."""
    try:
        line = json.loads(raw)
        why, message = line["rejected"], line.get("raw")
    except (ValueError, LookupError, TypeError, RecursionError):
        return {}, None
    return (why, message) if isinstance(why, dict) else ({}, None)


def _own_id(surface: object, message: object) -> object:
    """Return the id that a library gave a message which ingest could not read as an event."""
    name = _ID_NAMES.get(surface) if isinstance(surface, str) else None
    try:
        found = json.loads(message) if name and isinstance(message, str) else None
    except (ValueError, RecursionError):
        return None
    return found.get(name) if isinstance(found, dict) else None


def _text(value: object, most: int) -> str | None:
    if not isinstance(value, str):
        return None
    return value[:most].encode("utf-8", "replace").decode()


def _instant_ms(value: object) -> int | None:
    try:
        return to_ms(parse_instant(value)) if isinstance(value, str) else None
    except PydanticCustomError:
        return None
