"""Believable events: eight types by weight, many users, a page, a referrer, a device, a price."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

_TYPES = (
    ("page_view", 40), ("click", 25), ("search", 12), ("add_to_cart", 8),
    ("scroll", 5), ("login", 5), ("purchase", 3), ("error", 2),
)  # fmt: skip


def client_events(count: int, *, users: int = 50_000, seed: int = 7) -> list[dict[str, Any]]:
    """Return events of the last minutes as a browser would send them, about 300 bytes each."""
    draw = random.Random(seed)
    names = [name for name, _ in _TYPES]
    weights = [weight for _, weight in _TYPES]
    now = datetime.now(UTC)
    return [
        {
            "event_id": str(uuid.UUID(int=draw.getrandbits(128), version=4)),
            "event_type": draw.choices(names, weights)[0],
            "user_id": f"user-{draw.randrange(users)}",
            "timestamp": (now - timedelta(milliseconds=draw.randrange(120_000)))
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "latency_ms": round(draw.lognormvariate(4.5, 0.7), 1),
            "properties": {
                "page": f"/products/{draw.randrange(5_000)}",
                "referrer": draw.choice(["google", "newsletter", "direct", "partner"]),
                "device": draw.choice(["mobile", "desktop", "tablet"]),
                "price": round(draw.random() * 200, 2),
            },
        }
        for _ in range(count)
    ]
