"""The hot windows in memory and in DynamoDB behave alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.parsers import ResponseParserError
from moto import mock_aws

from common.adapters.calls import CLIENT_CONFIG
from common.adapters.hot_store import DynamoHotStore
from common.domain.histogram import BUCKETS, GAMMA, SMALLEST_MS, Histogram
from common.domain.hot import (
    MAX_LATENCY_BYTES,
    HotWindow,
    RecordSamples,
    Sample,
    TypeCount,
    WindowKey,
    counted,
)
from common.errors import StoreError, ThrottledError
from common.ports.hot import HotStore, Lost
from fakes.aws_answers import Answer, answer_with, skip_waits
from fakes.hot import MemoryHotStore
from faults.limits import LimitBrokenError, check_request

TABLE = "hot"
KEY = WindowKey(datetime(2026, 11, 20, 10, 5, tzinfo=UTC), "events", "shardId-000000000000")
LATENCY = Histogram.of([0.0, 12.5, 80.0, 1e9]).encode()
FIRST = HotWindow({"page_view": TypeCount(3, 1, LATENCY)}, "056" + "1" * 56)
MANY = Histogram(5, dict.fromkeys(range(BUCKETS), 3)).encode()
SECOND = HotWindow(
    {
        "page_view": TypeCount(4, 1, LATENCY),
        "A b.c:d-e_9": TypeCount(1, 0),
        "_other": TypeCount(9, 9, MANY),
    },
    "056" + "2" * 56,
)


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="us-east-1", config=CLIENT_CONFIG)
        # Beside moto's own answer: what AWS would refuse must not pass.
        dynamodb.meta.events.register_first(
            "before-send", lambda request, **_: check_request(request)
        )
        dynamodb.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")
            ],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
        )
        yield dynamodb


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> HotStore:
    if request.param == "memory":
        return MemoryHotStore()
    return a_store(request.getfixturevalue("client"))


def a_store(client: Any) -> DynamoHotStore:
    return DynamoHotStore(client, TABLE, timedelta(days=14))


def test_a_first_write_needs_that_nothing_is_stored(store: HotStore) -> None:
    assert store.put(KEY, FIRST, over=None) is None
    assert store.put(KEY, SECOND, over=None) == Lost(FIRST)


def test_a_write_replaces_the_window_whose_mark_it_names(store: HotStore) -> None:
    store.put(KEY, FIRST, over=None)

    assert store.put(KEY, SECOND, over=FIRST.mark) is None
    assert store.put(KEY, FIRST, over=None) == Lost(SECOND)


def test_a_write_over_another_mark_is_lost_and_tells_what_is_stored(store: HotStore) -> None:
    store.put(KEY, FIRST, over=None)

    assert store.put(KEY, SECOND, over="056" + "0" * 56) == Lost(FIRST)
    assert store.put(KEY, SECOND, over=SECOND.mark) == Lost(FIRST)


def test_a_write_over_something_where_nothing_is_stored_is_lost(store: HotStore) -> None:
    assert store.put(KEY, SECOND, over=FIRST.mark) == Lost(None)


def test_a_write_that_is_sent_twice_is_lost_to_itself(store: HotStore) -> None:
    store.put(KEY, FIRST, over=None)
    store.put(KEY, SECOND, over=FIRST.mark)

    assert store.put(KEY, SECOND, over=FIRST.mark) == Lost(SECOND)


def test_windows_of_other_shards_hours_and_minutes_are_apart(store: HotStore) -> None:
    others = [
        WindowKey(KEY.start, KEY.stream, "shardId-000000000001"),
        WindowKey(KEY.start, "events-2", KEY.shard),
        WindowKey(KEY.start + timedelta(minutes=5), KEY.stream, KEY.shard),
        WindowKey(KEY.start + timedelta(hours=1), KEY.stream, KEY.shard),
    ]

    assert [store.put(key, FIRST, over=None) for key in (KEY, *others)] == [None] * 5


def test_the_item_is_as_readers_expect_it(client: Any) -> None:
    a_store(client).put(KEY, SECOND, over=None)

    [item] = client.scan(TableName=TABLE)["Items"]
    assert item.pop("types")["M"]["page_view"] == {
        "M": {"count": {"N": "4"}, "errors": {"N": "1"}, "latency": {"B": LATENCY}}
    }
    assert item == {
        "pk": {"S": "HOT#2026-11-20T10"},
        "sk": {"S": "05#events#shardId-000000000000"},
        "hw": {"S": SECOND.mark},
        "ttl": {"N": str(int(datetime(2026, 12, 4, 10, 5, tzinfo=UTC).timestamp()))},
    }


def test_the_fullest_window_that_can_be_fits_into_dynamodb_and_counts_on(client: Any) -> None:
    """Names, counters and histograms at their largest; then every bucket gets one more value."""
    latency = Histogram(2**40, dict.fromkeys(range(BUCKETS), 127)).encode()
    counters = TypeCount(10**17, 10**17, latency)
    names = [*(str(number).rjust(128, "t") for number in range(200)), "_other"]
    store, before = a_store(client), HotWindow(dict.fromkeys(names, counters), FIRST.mark)
    more = [
        Sample(name, True, SMALLEST_MS * GAMMA**bucket * 0.99)
        for name in names[:60]
        for bucket in range(BUCKETS)
    ]

    after = counted(before, [RecordSamples(SECOND.mark, tuple(more))], max_types=200)

    assert sum(len(of.latency or b"") for of in after.types.values()) == MAX_LATENCY_BYTES
    assert {after.types[name].count for name in names[:60]} == {10**17 + BUCKETS}
    assert store.put(KEY, after, over=None) is None
    assert store.put(KEY, after, over=None) == Lost(after)
    # The control: without the limit, DynamoDB refuses the window, and would for ever.
    unlimited = Histogram(2**40, dict.fromkeys(range(BUCKETS), 128)).encode()
    too_much = dict.fromkeys(names, TypeCount(10**17, 10**17, unlimited))
    with pytest.raises(StoreError, match="ValidationException"):
        store.put(KEY, HotWindow(too_much, SECOND.mark), over=after.mark)


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        pytest.param(
            [(400, "ProvisionedThroughputExceededException")] * 3, ThrottledError, id="throttled"
        ),
        pytest.param([(400, "ThrottlingException")] * 3, ThrottledError, id="account throttled"),
        pytest.param([(400, "TransactionConflictException")] * 3, ThrottledError, id="conflict"),
        pytest.param([(400, "ValidationException")], StoreError, id="refused"),
        pytest.param([(500, "InternalServerError")] * 3, StoreError, id="internal error"),
        pytest.param([ReadTimeoutError(endpoint_url="x")] * 3, StoreError, id="no answer"),
        pytest.param([ResponseParserError("user-42")], StoreError, id="unreadable answer"),
        pytest.param(
            [UnicodeDecodeError("utf-8", b"user-42", 0, 1, "x")], StoreError, id="binary answer"
        ),
    ],
)
def test_dynamodbs_errors_become_ours_and_do_not_quote_the_request(
    client: Any, answers: list[Answer], error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_waits(monkeypatch)
    answer_with(client, *answers)

    with pytest.raises(error, match="dynamodb:PutItem") as raised:
        a_store(client).put(KEY, FIRST, over=None)

    assert type(raised.value) is error
    assert "user-42" not in str(raised.value)


def test_the_limits_of_dynamodb_are_held_in_these_tests(client: Any) -> None:
    with pytest.raises(LimitBrokenError):
        client.put_item(
            TableName=TABLE, Item={"pk": {"S": "a"}, "sk": {"S": "b"}, "hw": {"N": "1" * 56}}
        )
