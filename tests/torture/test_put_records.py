"""One client against a stream that fails in every way: nothing is falsely told, nothing lost."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from common.errors import EventStreamError
from common.ports.stream import EventSink, PutFailure, StreamRecord
from fakes.ingest_builders import a_request, a_world
from fakes.stream import Fault, Hourglass, MemorySink
from ingest import service
from ingest.delivery import Waiting
from ingest.service import ingest


def random_faults(rng: random.Random, time: Hourglass) -> Iterator[Fault]:
    """Draw what the stream does, call by call: well, throttled, failing, deaf, slow."""
    while True:
        time.now_s += rng.choice([0.01, 0.01, 0.1, 3.0])
        draw = rng.random()
        if draw < 0.1:
            yield Fault(whole="throttled")
        elif draw < 0.2:
            yield Fault(whole="store_failed")
        elif draw < 0.3:
            yield Fault(whole="store_failed", stored_all_the_same=True)
        elif draw < 0.7:
            failing = {n: rng.choice(["throttled", "store_failed"]) for n in range(500)}
            yield Fault(entries={n: f for n, f in failing.items() if rng.random() < 0.3})  # type: ignore[misc]
        else:
            yield Fault()


def wrong_in(seed: int) -> bool:
    """Play one client against one stream; say whether anything was falsely told or lost."""
    rng, time = random.Random(seed), Hourglass()
    sink = MemorySink(random_faults(rng, time))
    deps = a_world(sink, time)
    pending = {
        str(n): {"event_type": "x", "event_id": str(n), "user_id": f"u{rng.randrange(9)}"}
        for n in range(rng.randrange(1, 20))
    }
    sent = set(pending)
    accepted: set[str] = set()
    while pending:
        made = ingest(a_request([*pending.values(), {"event_type": 7}]), deps)
        rows = cast("dict[str, Any]", made.response.body)["results"]
        if made.accepted + made.rejected + made.retry != len(pending) + 1:
            return True
        told = {row["event_id"] for row in rows if row["status"] == "accepted"}
        if not told <= {event["event_id"] for event in sink.events()}:
            return True
        accepted |= told
        pending = {
            row["event_id"]: pending[row["event_id"]] for row in rows if row["status"] == "retry"
        }
    return accepted != sent


def test_under_every_schedule_nothing_is_falsely_accepted_and_nothing_lost(
    amount: dict[str, int],
) -> None:
    assert [seed for seed in range(amount["put_schedules"]) if wrong_in(seed)] == []


def test_a_sender_that_does_not_read_the_results_lies_in_a_third_of_the_schedules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def careless(
        records: list[StreamRecord],
        sink: EventSink,
        waiting: Waiting,
        note: Callable[[str], None],
        **_: float,
    ) -> list[PutFailure | None]:
        for _ in range(3):
            try:
                sink.put(records)
            except EventStreamError:
                continue
            return [None] * len(records)
        return ["store_failed"] * len(records)

    monkeypatch.setattr(service, "deliver", careless)

    assert sum(wrong_in(seed) for seed in range(300)) > 100
