"""Keys for tests: a store in memory, a clock to set, and an access that lets everybody in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from common.access import Access
from common.domain.api_keys import ApiKey, Scope, hash_secret, make_key
from common.errors import StoreError, ThrottledError

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at

    def pass_s(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class MemoryApiKeys:
    """A store that counts what it is asked, and can be down."""

    records: dict[str, ApiKey] = field(default_factory=dict)
    down: StoreError | ThrottledError | None = None
    asked: list[str] = field(default_factory=list)

    def find(self, key_id: str) -> ApiKey | None:
        self.asked.append(key_id)
        if self.down is not None:
            raise self.down
        return self.records.get(key_id)

    def put(self, key: ApiKey) -> None:
        self.records[key.id] = key

    def revoke(self, key_id: str, at: datetime = NOON) -> None:
        self.records[key_id] = replace(self.records[key_id], revoked_at=at)


def a_key(number: int = 1, **fields: Any) -> tuple[str, ApiKey]:
    """Return a key as its holder has it, and its record."""
    text, made = make_key(lambda size: number.to_bytes(1, "big") * size)
    given: dict[str, Any] = {
        "name": f"key {number}",
        "scopes": frozenset[Scope]({"ingest"}),
        "origins": (),
        "created_at": NOON,
    } | fields
    given["scopes"] = frozenset(given["scopes"])
    return text, ApiKey(id=made.id, secret_hash=hash_secret(made.secret), **given)


def open_access() -> Access:
    """Return what judges requests where no key is required and none exists."""
    return Access(MemoryApiKeys(), required=False, now=lambda: NOON)
