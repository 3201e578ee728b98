"""Rejected events of senders that are told of a batch as a whole, as lines that end in quarantine.

A client library forgets a batch once it is answered, and so does who sends CloudEvents by the
batch: what was rejected would be lost. :mod:`common.domain.decode` knows these lines by their
first bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from common.domain.client_ip import IpPolicy, cut_context
from common.domain.enrich import Arrival
from common.domain.partitions import Pack, bucket_of, pack
from common.domain.strict_json import Refused
from common.domain.windows import rfc3339
from ingest.receipts import Result
from ingest.routes import Target
from ingest.submission import Sent
from ingest.surfaces.fields import Unread
from ingest.user_agents import LONGEST as LONGEST_AGENT

MAX_RAW_BYTES = 200_000
"""Of a message that is kept: escaped once more, it still fits into a record."""
MAX_PACK_BYTES = 250_000
"""A record of these. Beyond a hundred lines it becomes one object of the quarantine, so a client
that sends nothing but nonsense does not make thousands of them."""


def packs(
    rejected: Sequence[tuple[Sent, Result]],
    target: Target,
    arrival: Arrival,
    *,
    request_id: str,
    buckets: int,
    ip: IpPolicy = "off",
) -> Sequence[Pack]:
    """Return the records that keep what was rejected; those of a request stay together.

    Of a client's address they hold no more than an event would. What the request said of its
    events, the time it was sent and who sent it, is beside them: a replay judges by it.
    """
    bucket = bucket_of(request_id, buckets)
    lines = _lines(rejected, target, arrival, ip)
    return pack(((bucket, line) for line in lines), MAX_PACK_BYTES)


def _lines(
    rejected: Sequence[tuple[Sent, Result]], target: Target, arrival: Arrival, ip: IpPolicy
) -> Iterator[bytes]:
    agent = arrival.client.user_agent
    common: dict[str, Any] = {
        # On our own paths, only CloudEvents have senders that are not told event by event.
        "surface": "cloudevents" if target.is_native else target.surface,
        "source": arrival.source,
        "received_at": rfc3339(arrival.received_at),
        **({"user_agent": agent[:LONGEST_AGENT]} if agent else {}),
    }
    for sent, result in rejected:
        message, sent_at = _message(sent)
        if isinstance(message, dict | Refused):
            why = result.errors[0].as_dict() | common
            if sent_at is not None:
                why["sent_at"] = rfc3339(sent_at)
            if sent.own_clock:
                why["own_clock"] = True
            if target.kind is not None:
                why["kind"] = target.kind
            if result.event_id is not None:
                why["event_id"] = result.event_id
            yield _dumps({"rejected": why, "raw": _raw(message, ip)}).encode("utf-8", "replace")


def _message(sent: Sent) -> tuple[object, datetime | None]:
    """Return a message as it came, and what its sender's clock showed."""
    if isinstance(sent.original, Unread):
        return sent.original
    if sent.original is None or not isinstance(sent.event, dict):
        return sent.event if sent.original is None else sent.original, None
    sent_at = sent.event.get("sent_at")
    return sent.original, sent_at if isinstance(sent_at, datetime) else None


def _raw(message: dict[str, Any] | Refused, ip: IpPolicy) -> str | None:
    """Spell a message as it may be read by a person; what strict JSON refused is gone already."""
    if isinstance(message, Refused):
        return None
    try:
        text = _dumps(_without_address(message, ip))
    except (RecursionError, ValueError):
        return None
    if len(text) * 4 <= MAX_RAW_BYTES:
        return text
    return text.encode("utf-8", "replace")[:MAX_RAW_BYTES].decode("utf-8", "ignore")


def _without_address(message: dict[str, Any], ip: IpPolicy) -> dict[str, Any]:
    """Cut addresses where libraries put them: beside the other members, or in the context."""
    kept = cut_context(message, ip)
    context = kept.get("context")
    return {**kept, "context": cut_context(context, ip)} if isinstance(context, dict) else kept


def _dumps(value: Any) -> str:  # noqa: ANN401 - whatever a client sent
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_refusal)


def _refusal(value: object) -> dict[str, str]:
    return {"refused": value.rule if isinstance(value, Refused) else type(value).__name__}
