"""The event index in memory and in DynamoDB behave alike."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from common.adapters.calls import CLIENT_CONFIG
from common.adapters.event_index import DynamoEventIndex
from common.adapters.event_index_readings import DynamoEventIndexReadings
from common.adapters.patience import Waiting
from common.domain.event_index import (
    Copy,
    EventKey,
    IndexEntry,
    IndexRules,
    Stamp,
)
from common.domain.packing import MAX_PACKED_BYTES
from common.domain.windows import from_ms
from common.errors import StoreError, ThrottledError
from common.ports.event_index import (
    EventIndexReadings,
    EventIndexStore,
    IndexChange,
    IndexWritten,
)
from contract.tables import create_event_index_table
from fakes.aws_answers import Answer, answer_with, skip_waits
from fakes.event_index import (
    MemoryEventIndex,
    MemoryEventIndexReadings,
    a_rejected_entry,
    an_entry,
)
from fakes.stream import Hourglass
from faults.limits import check_request

TABLE = "event-index"
RULES = IndexRules.of(14)
LONGEST = EventKey("k" * 1024, "\U0001f600" * 128)


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="us-east-1", config=CLIENT_CONFIG)
        dynamodb.meta.events.register_first(
            "before-send", lambda request, **_: check_request(request)
        )
        create_event_index_table(dynamodb, TABLE)
        yield dynamodb


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> EventIndexStore:
    if request.param == "memory":
        return MemoryEventIndex()
    return a_store(request.getfixturevalue("client"))


def a_store(client: Any) -> DynamoEventIndex:
    time = Hourglass()
    return DynamoEventIndex(client, TABLE, RULES, Waiting(time.clock, time.sleep, lambda: 0.5))


def put(store: EventIndexStore, *entries: IndexEntry, over: Stamp | None = None) -> IndexWritten:
    return store.write([IndexChange(entry, over) for entry in entries])


def test_nothing_is_written_for_nothing(store: EventIndexStore) -> None:
    assert store.write([]) == IndexWritten(frozenset(), {})


def test_an_event_can_be_claimed_once(store: EventIndexStore) -> None:
    first, second = an_entry(), an_entry(at="events/shardId-000000000000/43/0")
    others = [an_entry(f"other-{number}") for number in range(230)]

    assert put(store, first, *others).done == {entry.key for entry in (first, *others)}
    assert put(store, second) == IndexWritten(frozenset(), {first.key: first})
    lost = put(store, second, an_entry("new"))
    assert (lost.done, lost.lost) == (frozenset(), {first.key: first})
    assert put(store, an_entry("new")).done == {EventKey("public", "new")}


def test_one_id_of_two_sources_is_two_events(store: EventIndexStore) -> None:
    assert len(put(store, an_entry(), an_entry(source="web")).done) == 2


@pytest.mark.parametrize("neighbours", [0, 2])
def test_an_entry_is_replaced_over_the_stamp_that_it_has(
    store: EventIndexStore, neighbours: int
) -> None:
    rejected, stored = a_rejected_entry("e"), an_entry("e", at="events/s/50/0")
    put(store, rejected)
    others = [an_entry(f"other-{number}") for number in range(neighbours)]

    wrong = Stamp("stored", rejected.at)
    assert put(store, stored, over=wrong).lost == {stored.key: rejected}
    changes = [IndexChange(stored, rejected.stamp), *(IndexChange(o, None) for o in others)]
    assert store.write(changes).done == {stored.key, *(other.key for other in others)}
    assert put(store, rejected).lost == {stored.key: stored}


def test_a_replacement_of_nothing_is_lost(store: EventIndexStore) -> None:
    assert put(store, an_entry(), over=Stamp("stored", "x")).lost == {an_entry().key: None}


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(an_entry(again=Copy("events/s/50/0", "events/x.parquet")), id="replayed"),
        pytest.param(an_entry(packed=None), id="too large"),
        pytest.param(a_rejected_entry(), id="rejected"),
        pytest.param(replace(a_rejected_entry(), received_ms=None, field=None), id="bare"),
        pytest.param(replace(an_entry(), key=LONGEST), id="longest names"),
    ],
)
def test_an_entry_comes_back_as_it_was(client: Any, entry: IndexEntry) -> None:
    put(a_store(client), entry)

    assert put(a_store(client), replace(an_entry(), key=entry.key)).lost == {entry.key: entry}


def test_the_largest_entries_fit_into_items_and_transactions(client: Any) -> None:
    largest = [
        replace(an_entry(str(number)), packed=os.urandom(MAX_PACKED_BYTES)) for number in range(25)
    ]

    assert put(a_store(client), *largest).done == {entry.key for entry in largest}


def test_an_entry_expires_after_its_window_and_the_margin(client: Any) -> None:
    entry = an_entry()
    put(a_store(client), entry)
    [item] = client.scan(TableName=TABLE)["Items"]

    assert int(item["ttl"]["N"]) == (entry.arrived_ms + RULES.keep_ms) // 1000 + 1
    assert (item["pk"], item["sk"]) == ({"S": "EVENT#e-1"}, {"S": "public"})
    kept = timedelta(milliseconds=RULES.keep_ms)
    for later, found in ((kept, [entry]), (kept + timedelta(seconds=2), [])):
        now = from_ms(entry.arrived_ms) + later
        assert DynamoEventIndexReadings(client, TABLE, lambda now=now: now).find("e-1") == found  # type: ignore[misc]


@pytest.fixture(params=["memory", "dynamodb"])
def readings(request: pytest.FixtureRequest) -> Callable[..., EventIndexReadings]:
    if request.param == "memory":
        return lambda *entries: MemoryEventIndexReadings(entries)
    client = request.getfixturevalue("client")

    def stored(*entries: IndexEntry) -> EventIndexReadings:
        put(a_store(client), *entries)
        return DynamoEventIndexReadings(client, TABLE, lambda: from_ms(an_entry().arrived_ms))

    return stored


def test_an_event_is_found_by_its_id_with_and_without_its_source(
    readings: Callable[..., EventIndexReadings],
) -> None:
    ours, theirs = an_entry("e/1 \U0001f600"), an_entry("e/1 \U0001f600", "web")
    found = readings(ours, theirs, an_entry("e/1"))

    assert found.find("e/1 \U0001f600") == [ours, theirs]
    assert found.find("e/1 \U0001f600", "web") == [theirs]
    assert found.find("e/1", "web") == []
    assert found.check()


def test_a_table_that_does_not_answer_is_told(client: Any) -> None:
    now = from_ms(an_entry().arrived_ms)

    assert not DynamoEventIndexReadings(client, "other", lambda: now).check()


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        pytest.param(
            [(400, "ProvisionedThroughputExceededException")] * 99, ThrottledError, id="1"
        ),
        pytest.param([(400, "ValidationException")], StoreError, id="refused"),
        pytest.param([(500, "InternalServerError")] * 3, StoreError, id="internal error"),
    ],
)
@pytest.mark.parametrize("count", [1, 2])
def test_dynamodbs_errors_become_ours(
    client: Any,
    answers: list[Answer],
    error: type[Exception],
    count: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    skip_waits(monkeypatch)
    answer_with(client, *answers)

    with pytest.raises(error, match="dynamodb:") as raised:
        put(a_store(client), *(an_entry(str(number)) for number in range(count)))

    assert type(raised.value) is error
