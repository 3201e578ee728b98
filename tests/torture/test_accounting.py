"""Every event of every batch is accounted for, and found again where its answer says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.domain.decode import decode_batch
from common.errors import EventStreamError
from common.http import problem
from common.ports.stream import EventSink, PutFailure, StreamRecord
from fakes.ingest_builders import a_request, a_world
from fakes.stream import Fault, MemorySink
from ingest import service
from ingest.receipts import Receipt
from ingest.service import ingest
from torture.sinks import as_delivered

MOST_TRIES = 60

good = st.builds(
    lambda user, value: {"user_id": user, "properties": {"v": value}},
    st.sampled_from(["u1", "u2", "u3", None]),
    st.one_of(st.text(max_size=5), st.integers(-(2**63), 2**63 - 1), st.booleans()),
)
bad = st.sampled_from([{"user_id": ""}, {"user_id": ["x"] * 2}, {"properties": {"v": "\x00"}}])
events = st.lists(st.one_of(good, good, bad), min_size=1, max_size=12)
faults = st.lists(
    st.one_of(
        st.none(),
        st.just(Fault(whole="throttled")),
        st.builds(Fault, st.just("store_failed"), st.booleans()),
        st.builds(
            lambda at, why: Fault(entries=dict.fromkeys(at, why)),
            st.sets(st.integers(0, 9)),
            st.sampled_from(["throttled", "store_failed"]),
        ),
    ),
    max_size=12,
)


def _native(sent: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"event_type": "x", **event} for event in sent]


def _messages(sent: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "batch": [
            {
                "type": "track",
                "event": None if event.get("user_id") == "" else "x",
                "messageId": event["event_id"],
                "userId": event.get("user_id"),
                "properties": event.get("properties"),
            }
            for event in sent
        ]
    }


def _amplitude(sent: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "events": [
            {
                "event_type": "" if event.get("user_id") == "" else "x",
                "insert_id": event["event_id"],
                "user_id": event.get("user_id"),
                "event_properties": event.get("properties"),
            }
            for event in sent
        ]
    }


NATIVE = {
    "/events": _native,
    "/events/batch": lambda sent: {"events": _native(sent)},
    "/events/batch/x": lambda sent: {"records": [{"data": json.dumps(event)} for event in sent]},
}
LIBRARIES = {"/v1/batch": _messages, "/beacon/v1/batch": _messages, "/2/httpapi": _amplitude}


def numbered(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**event, "event_id": f"e{n}"} for n, event in enumerate(found)]


def sent_to(path: str, document: object, world: Any) -> Receipt:
    try:
        return ingest(a_request(document, path), world)
    except EventStreamError as error:  # as common.http.answer does
        return Receipt(problem(error, "r"), 0, 0, 0)


def stored(sink: MemorySink) -> tuple[set[str], int]:
    """Return the ids in the lake and the number of events in quarantine."""
    batch = decode_batch(as_delivered(sink.stored))
    return {line.event.event_id for line in batch.lines}, sum(each.count for each in batch.bad)


def told(rows: Sequence[dict[str, Any]], status: str) -> set[str]:
    return {row["event_id"] for row in rows if row["status"] == status}


def examples(amount: int) -> Any:
    return settings(
        max_examples=amount, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )


def careless(
    records: Sequence[StreamRecord], sink: EventSink, *_: object, **__: object
) -> list[PutFailure | None]:
    """Put once, and believe that all is well."""
    with suppress(EventStreamError):
        sink.put(records)
    return [None] * len(records)


@pytest.mark.parametrize("path", NATIVE)
def test_a_native_batch_is_accounted_for_event_by_event(path: str, amount: dict[str, int]) -> None:
    @examples(amount["examples"])
    @given(events, faults)
    def holds(found: list[dict[str, Any]], failing: list[Fault | None]) -> None:
        sink = MemorySink(failing)
        world, pending = a_world(sink), numbered(found)
        accepted: set[str] = set()
        for _ in range(MOST_TRIES):
            made = sent_to(path, NATIVE[path](pending), world)
            assert made.accepted + made.rejected + made.retry == len(pending)
            rows: list[dict[str, Any]] = made.response.body["results"]  # type: ignore[call-overload]
            accepted |= told(rows, "accepted")
            assert accepted <= stored(sink)[0]
            pending = [event for event in pending if event["event_id"] in told(rows, "retry")]
            if not pending:
                break
        assert not pending
        assert stored(sink)[0] == accepted

    holds()


@pytest.mark.parametrize("path", LIBRARIES)
def test_a_library_that_was_told_of_success_can_forget_its_batch(
    path: str, amount: dict[str, int]
) -> None:
    @examples(amount["examples"])
    @given(events, faults)
    def holds(found: list[dict[str, Any]], failing: list[Fault | None]) -> None:
        sink = MemorySink(failing)
        world, sent = a_world(sink), numbered(found)
        for _ in range(MOST_TRIES):
            made = sent_to(path, LIBRARIES[path](sent), world)
            assert made.accepted + made.rejected + made.retry == len(sent)
            if made.response.status != 503:
                break
            assert made.accepted == 0
        lake, buried = stored(sink)
        assert made.response.status in {200, 400}
        body: Any = made.response.body
        if made.response.status == 200:
            rejected = {row["index"] for row in body["rejected"]}
            assert body["accepted"] + len(rejected) == len(sent)
            assert {e["event_id"] for n, e in enumerate(sent) if n not in rejected} == lake
            assert buried >= len(rejected)
        else:
            assert lake == set()

    holds()


CLAIMS = {
    "/events": test_a_native_batch_is_accounted_for_event_by_event,
    "/v1/batch": test_a_library_that_was_told_of_success_can_forget_its_batch,
}


@pytest.mark.parametrize("path", CLAIMS)
def test_a_sender_that_does_not_read_the_results_is_found_out(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "deliver", careless)

    with pytest.raises(AssertionError):
        CLAIMS[path](path, {"examples": 200})
