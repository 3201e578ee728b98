"""A batch of CloudEvents: its sender reads the status and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from common.observability import metrics
from fakes.ingest_client import posting_to
from fakes.stream import Fault, MemorySink

BATCH = {"content-type": "application/cloudevents-batch+json"}
THRICE_THROTTLED = [Fault(entries={0: "throttled"})] * 3


@pytest.fixture(autouse=True)
def namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "namespace", "EventStream")


def event(number: int, **fields: Any) -> dict[str, Any]:
    own = {"specversion": "1.0", "id": f"e{number}", "source": "/shop", "type": "order"}
    return own | {"subject": f"user-{number}"} | fields


def test_a_batch_that_was_taken_in_part_is_sent_again_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sink = MemorySink(THRICE_THROTTLED)
    post = posting_to(sink, monkeypatch)
    events = [event(number) for number in range(20)]

    refused = post(events, headers=BATCH)
    again = post(events, headers=BATCH)

    assert refused.status == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert 0 < refused.body["retry"] < 20
    assert again.status == 200
    assert {each["event_id"] for each in sink.events()} == {f"/shop#e{n}" for n in range(20)}


def test_our_own_batches_are_told_event_by_event(monkeypatch: pytest.MonkeyPatch) -> None:
    post = posting_to(MemorySink(THRICE_THROTTLED), monkeypatch)

    answer = post([{"event_type": "x", "user_id": f"u{n}"} for n in range(20)], "/events/batch")

    assert answer.status == 207


def test_what_is_rejected_of_a_batch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = MemorySink()
    post = posting_to(sink, monkeypatch)

    answer = post([event(1), event(2, time="soon")], headers=BATCH)

    assert (answer.status, answer.body["accepted"], answer.body["rejected"]) == (207, 1, 1)
    [kept] = [each for each in sink.events() if "rejected" in each]
    assert kept["rejected"]["surface"] == "cloudevents"
    assert '"id":"e2"' in kept["raw"]


def test_no_2xx_is_said_before_the_rejected_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = MemorySink([Fault(entries={1: "throttled"}), *THRICE_THROTTLED])
    post = posting_to(sink, monkeypatch)

    answer = post([event(1), event(2, time="soon")], headers=BATCH)

    assert answer.status == 503
    assert [each["event_id"] for each in sink.events()] == ["/shop#e1"]
