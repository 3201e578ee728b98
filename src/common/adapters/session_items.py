"""A person's timeline as a DynamoDB item.

Sessions and marks are JSON text: readable in the console, and cheaper than lists and maps of
DynamoDB's own, in which every number is a value to be checked and spelled apart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from common.domain.keys import active_slot, person_pk
from common.domain.sessions import Person, Session, SessionRules
from common.domain.timelines import Mark, Timeline
from common.domain.windows import from_ms
from common.ports.sessions import PersonSessions

_KINDS = {"user": "user_id", "anonymous": "anonymous_id"}
_encode = msgspec.json.Encoder().encode
_ITEM_BYTES = 1_500
"""More than everything of an item beside sessions and marks takes: names, keys, numbers, an id."""


def key_of(key: str) -> dict[str, Any]:
    """Return the primary key of a person's item."""
    return {"pk": {"S": person_pk(key)}}


def to_item(person: Person, timeline: Timeline, rules: SessionRules) -> dict[str, Any]:
    """Return the item of a timeline.

    It expires so long after the newest record arrived that no record of the stream can come
    again by then.
    """
    key = person.key
    item: dict[str, Any] = {
        **key_of(key),
        _KINDS[person.kind]: {"S": person.name},
        "sessions": {"S": _sessions_text(timeline)},
        "state": {"S": _state_text(timeline)},
        "version": {"N": str(timeline.version)},
        "ttl": {"N": str((timeline.newest_ms + rules.keep_ms) // 1000 + 1)},
    }
    if timeline.sessions:
        item["active"] = {"S": active_slot(from_ms(timeline.last_ms), key)}
    return item


def size_of(item: Mapping[str, Any]) -> int:
    """Return at least as many bytes as DynamoDB counts for an item."""
    return _ITEM_BYTES + len(item["sessions"]["S"].encode()) + len(item["state"]["S"].encode())


def _sessions_text(timeline: Timeline) -> str:
    return _encode([s[:3] if s.client_id is None else s for s in timeline.sessions]).decode()


def _state_text(timeline: Timeline) -> str:
    state = {
        "newest": timeline.newest_ms,
        "overflow": timeline.overflow,
        "marks": timeline.marks,
    }
    return _encode(state).decode()


def from_item(item: Mapping[str, Any]) -> Timeline:
    """Read the timeline of an item."""
    state = json.loads(item["state"]["S"])
    return Timeline(
        tuple(Session(*fields) for fields in json.loads(item["sessions"]["S"])),
        {shard: Mark(*fields) for shard, fields in state["marks"].items()},
        state["newest"],
        state["overflow"],
        int(item["version"]["N"]),
    )


def person_of(item: Mapping[str, Any]) -> PersonSessions:
    """Read whose item it is and what is in it."""
    if "user_id" in item:
        return PersonSessions(Person("user", item["user_id"]["S"]), from_item(item))
    return PersonSessions(Person("anonymous", item["anonymous_id"]["S"]), from_item(item))
