"""The event index on the real pipeline: events sent again count once, and each one is found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from e2e.client import deliver, post_json
from e2e.local_pipeline import LocalPipeline
from eventstream.local import stopping
from fakes.waiting import wait_for

pytestmark = pytest.mark.e2e

_EVENTS = 60


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPipeline]:
    made = LocalPipeline(
        tmp_path_factory.mktemp("event-index"),
        {"EventIndex": "on", "BatchWindowSeconds": "0", "BatchSize": "20"},
    )
    made.start()
    yield made
    stopping.stop(made.state)


def found(pipeline: LocalPipeline, event_id: str) -> dict[str, Any]:
    def look() -> Any:
        done = pipeline.run("event", event_id, "--json")
        return done.json["events"][0] if done.code == 0 else None

    return wait_for(f"event {event_id}", look)  # type: ignore[no-any-return]


def test_events_sent_again_count_once_also_when_the_function_is_killed(
    running: LocalPipeline,
) -> None:
    events = [
        {"event_type": "order", "event_id": f"o/{n}", "user_id": f"u{n}"} for n in range(_EVENTS)
    ]
    for part in range(4):
        for begin in range(0, _EVENTS, 12):
            deliver(running.url, events[begin : begin + 12])
        if part % 2 == 0:
            running.kill_workers()
    deliver(running.url, [{"event_type": "end", "event_id": "end", "user_id": "u0"}])
    # On one shard: what was sent before it is counted by then, or left out.
    wait_for("last event that is counted", lambda: running.counted("end"), every_s=0.5)

    rows = running.sql("SELECT DISTINCT sequence, line FROM events_raw WHERE event_type = 'order'")
    assert len(rows) == _EVENTS
    assert running.counted("order") == _EVENTS
    entry = found(running, "o/17")
    assert entry["event"]["user_id"] == "u17"
    assert entry["lake_object"].startswith("events/year=")


def test_a_message_that_was_rejected_is_found_until_it_is_sent_right(
    running: LocalPipeline,
) -> None:
    message = {"type": "track", "messageId": "m-1", "userId": "ada"}
    good = {"type": "track", "event": "Other", "messageId": "m-2", "userId": "ada"}
    batches = f"{running.url}/v1/batch"

    assert post_json(batches, {"batch": [message, good]})[0] == 200
    assert found(running, "m-1")["quarantine"]["reason"] == "missing"

    assert post_json(batches, {"batch": [message | {"event": "Mended"}]})[0] == 200
    wait_for("event in its place", lambda: found(running, "m-1")["state"] == "stored")
