"""Bodies that clients might send: a third valid, a third with something nasty, a third damaged."""

from __future__ import annotations

import json
import random
from typing import Any

PATHS = ("/events", "/events/batch", "/events/orders", "/events/batch/orders")
NASTY: tuple[Any, ...] = (
    *(None, True, -1, 0.5, 2**63, -(2**70), 10**4000, float("nan"), float("inf"), "", "x" * 9000),
    *("\x00", "\ud800", "\u2028", "a\nb", "2026-02-20", "9999-12-31T23:59:59-01:00", "=1+1"),
    *([], {}, [[]], {"a": {"b": {}}}, [0] * 2001, {"$ref": "#"}, {"__proto__": 1}),
)
NAMES = (
    *("event_type", "type", "action", "event_id", "user_id", "userId", "anonymous_id"),
    *("session_id", "timestamp", "sent_at", "latency_ms", "is_error", "properties", "metadata"),
    *("context", "colour", "", "\x00", "\ud800", "x" * 9000, "events", "records", "data"),
)


def valid_event(rng: random.Random) -> dict[str, Any]:
    optional = {
        "event_id": f"e-{rng.randrange(999)}",
        "user_id": rng.choice(["u1", "ü", "\N{GRINNING FACE}", "x" * 256]),
        "sessionId": "s1",
        "timestamp": rng.choice(["2026-02-20T11:59:00Z", 1_771_588_740_000, None]),
        "latency_ms": rng.choice([0, 1.5, 10**9]),
        "is_error": rng.random() < 0.5,
        "properties": rng.choice([{}, {"a": [1, {"b": None}]}, {"page": "/x"}, {"t": "a\tb\n"}]),
        "context": rng.choice([{}, {"page": {"url": "http://[x?utm_source=%00"}}, {"page": 7}]),
    }
    chosen = {name: value for name, value in optional.items() if rng.random() < 0.5}
    return {"event_type": rng.choice(["page_view", "error", "Order Completed"])} | chosen


def valid_body(rng: random.Random, path: str) -> Any:
    events = [valid_event(rng) for _ in range(rng.randrange(1, 6))]
    if path.startswith("/events/batch"):
        shapes: list[Any] = [events, {"events": events}]
        if path.endswith("orders"):
            shapes.append({"records": [{"data": json.dumps(event)} for event in events]})
        return rng.choice(shapes)
    return rng.choice([events, events[0]])


def spoil(rng: random.Random, value: Any) -> Any:
    """Return a document with something nasty somewhere in it."""
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        return [*value[:at], spoil(rng, value[at]), *value[at + 1 :]]
    if isinstance(value, dict) and value and rng.random() < 0.9:
        if rng.random() < 0.5:
            return value | {rng.choice(NAMES): rng.choice(NASTY)}
        name = rng.choice(list(value))
        return value | {name: spoil(rng, value[name])}
    return rng.choice(NASTY)


def damage(rng: random.Random, data: bytes) -> bytes:
    """Return bytes that were cut, changed, doubled or nested."""
    at, size = rng.randrange(len(data)), rng.randrange(1, 9)
    noise = rng.choice([rng.randbytes(size), b"[" * size, b"{", b'"', b"\\ud800", b"NaN,", b"\x00"])
    return rng.choice(
        [
            data[:at],
            data[:at] + noise + data[at:],
            data[:at] + noise + data[at + size :],
            data + data,
            b"[" * rng.choice([1, 25, 2000, 200_000]) + data,
            data.decode().encode("utf-16"),
            b"\xef\xbb\xbf" + data,
            rng.randbytes(size),
        ]
    )


def a_random_body(rng: random.Random, path: str) -> bytes:
    document = valid_body(rng, path)
    kind = rng.randrange(3)
    if kind == 1:
        document = spoil(rng, document)
    data = json.dumps(document, ensure_ascii=True).encode()
    return damage(rng, data) if kind == 2 else data
