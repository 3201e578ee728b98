"""The three conditions that every SDK is driven in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sdks.front import Fault
from sdks.sending import Outcome, Sender, send_all
from sdks.world import World

NAMES = ("calm", "trouble", "failing")
"""All is well; refusals and broken connections on the way; a stream that fails behind the API."""


@dataclass(frozen=True)
class Scenario:
    """What the senders reported, and what of theirs is in the lake, by run."""

    outcomes: Mapping[str, Outcome]
    lake: Mapping[str, list[Mapping[str, Any]]]
    raw: Mapping[str, list[Mapping[str, Any]]]
    """The same before the dedupe."""

    def statuses(self) -> dict[str, set[int | None]]:
        """Return what each sender was answered; ``None`` stands for a broken connection."""
        return {
            name: {seen.status for seen in outcome.front.posts()}
            for name, outcome in self.outcomes.items()
        }


def play(
    world: World, senders: Mapping[str, Sender], trouble: Sequence[Fault]
) -> dict[str, Scenario]:
    """Let all senders work in each of the conditions; calm and trouble at the same time."""
    faults = {"calm": (), "trouble": trouble, "failing": ()}

    def one(name: str) -> dict[str, Outcome]:
        return send_all(senders, name, world.servers, world.url, faults[name])

    with ThreadPoolExecutor() as pool:
        outcomes = dict(zip(NAMES[:2], pool.map(one, NAMES[:2]), strict=True))
    world.stream.failing = True
    try:
        outcomes["failing"] = one("failing")
    finally:
        world.stream.failing = False
    world.drain()
    return {
        name: Scenario(outcomes[name], world.rows(name), world.rows(name, table="events_raw"))
        for name in NAMES
    }
