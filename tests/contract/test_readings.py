"""The fake readers of the tests and the adapter on DynamoDB must tell the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Protocol

import boto3
import pytest
from moto import mock_aws

from common.adapters.aggregates import DynamoAggregates
from common.adapters.alerts import DynamoAlertOutbox
from common.adapters.hot_store import DynamoHotStore
from common.adapters.hours import DynamoHourMarks
from common.adapters.items import to_item
from common.adapters.readings import DynamoReadings
from common.domain.hot import HotWindow, TypeCount, WindowKey
from common.domain.keys import hour_sk, sequence_mark
from common.domain.windows import rfc3339
from common.errors import StoreError
from common.models import AggregationResult, AnomalyAlert
from common.ports.aggregates import HourProgress, HourSummary, SchemaUse, TypeSpan
from common.ports.readings import Readings, RunRow
from fakes.reading_builders import (
    NINE,
    alert,
    at,
    hot,
    reopened,
    result,
    run,
    settled,
    type_entry,
    untouched,
)
from fakes.readings import MemoryReadings

HOT, AGGREGATES = "hot", "aggregates"
RETENTION = timedelta(days=14)


class World(Protocol):
    """Stores to fill, and the readers of them."""

    readings: Readings

    def add_state(self, state: HourProgress) -> None: ...
    def add_result(self, result: AggregationResult) -> None: ...
    def add_hot(self, start: datetime, types: dict[str, TypeCount]) -> None: ...
    def add_type(self, entry: TypeSpan) -> None: ...
    def add_alert(self, alert: AnomalyAlert, *, sent_at: datetime | None = None) -> None: ...
    def add_schemas(self, hour: datetime, uses: Mapping[str, SchemaUse]) -> None: ...
    def add_run(self, run: RunRow) -> None: ...


class MemoryWorld(MemoryReadings):
    @property
    def readings(self) -> Readings:
        return self


class DynamoWorld:
    def __init__(self) -> None:
        self.client = boto3.client("dynamodb", region_name="eu-central-1")
        for table in (HOT, AGGREGATES):
            self.client.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
                AttributeDefinitions=[
                    {"AttributeName": "pk", "AttributeType": "S"},
                    {"AttributeName": "sk", "AttributeType": "S"},
                ],
            )
        self.now = at(14, 33)
        self.readings = DynamoReadings(
            self.client, hot_table=HOT, aggregates_table=AGGREGATES, now=lambda: self.now
        )
        self._shards = 0

    def put(self, table: str, **item: Any) -> None:
        self.client.put_item(TableName=table, Item=to_item(item))

    def add_state(self, state: HourProgress) -> None:
        marks = DynamoHourMarks(self.client, AGGREGATES)
        for generation in range(1, state.generation + 1):
            marks.raise_generation([state.hour])
            if generation == state.aggregated_generation and state.status is not None:
                summary = HourSummary(
                    state.hour, generation, state.status, 9, 1, 3, ("click",), NINE, "run-1"
                )
                DynamoAggregates(self.client, AGGREGATES).finish_hour(summary)

    def add_result(self, result: AggregationResult) -> None:
        DynamoAggregates(self.client, AGGREGATES).put_results([result])

    def add_hot(self, start: datetime, types: dict[str, TypeCount]) -> None:
        self._shards += 1
        key = WindowKey(start, "stream-1", f"shardId-{self._shards:012d}")
        window = HotWindow(types, sequence_mark("7"))
        DynamoHotStore(self.client, HOT, RETENTION).put(key, window, over=None)

    def add_type(self, entry: TypeSpan) -> None:
        for hour in (entry.last_hour, entry.first_hour):
            DynamoAggregates(self.client, AGGREGATES).widen_types([entry.event_type], hour)

    def add_alert(self, alert: AnomalyAlert, *, sent_at: datetime | None = None) -> None:
        outbox = DynamoAlertOutbox(self.client, AGGREGATES)
        outbox.record([alert], 3)
        if sent_at is not None:
            outbox.mark_sent(alert, sent_at)

    def add_schemas(self, hour: datetime, uses: Mapping[str, SchemaUse]) -> None:
        DynamoAggregates(self.client, AGGREGATES).finish_hour(
            HourSummary(hour, 1, "provisional", 9, 1, 3, ("click",), NINE, "run-1", schemas=uses)
        )

    def add_run(self, run: RunRow) -> None:
        row = asdict(run)
        self.put(AGGREGATES, pk="RUNS", sk=row.pop("key"), **row)


@pytest.fixture
def dynamo() -> Iterator[DynamoWorld]:
    with mock_aws():
        yield DynamoWorld()


@pytest.fixture(params=["memory", "dynamodb"])
def world(request: pytest.FixtureRequest) -> World:
    return MemoryWorld() if request.param == "memory" else request.getfixturevalue("dynamo")


def test_the_schemas_of_hours_are_half_open_and_those_of_an_hour_are_told_together(
    world: World,
) -> None:
    uses = {"order": SchemaUse(2, 4), "Order Completed": SchemaUse(10, 0)}
    for hour in (at(7), at(8), at(10)):
        world.add_schemas(hour, uses)
    world.add_state(settled(at(9)))

    found = world.readings.schemas(at(8), at(10))

    assert found == {at(8): uses}


def test_hours_are_half_open_and_oldest_first(world: World) -> None:
    for state in (untouched(at(11)), settled(at(9)), reopened(at(10)), settled(at(8))):
        world.add_state(state)

    assert world.readings.hours(at(9), at(11), 10) == [settled(at(9)), reopened(at(10))]
    assert world.readings.hours(at(8), at(14), 3) == [
        settled(at(8)),
        settled(at(9)),
        reopened(at(10)),
    ]


def test_hours_are_found_whole_though_the_span_starts_within_one(world: World) -> None:
    world.add_state(settled(NINE))

    assert world.readings.hours(NINE, NINE + timedelta(minutes=5), 10) == [settled(NINE)]


def test_results_are_of_one_type_and_half_open(world: World) -> None:
    wanted = result("click", NINE, 40, latency_count=3, latency_p95=12.345, unique_users=7)
    for each in (wanted, result("click", at(10), 1), result("clicks", NINE, 2)):
        world.add_result(each)

    assert world.readings.type_hours("click", at(8), at(10)) == {NINE: wanted}


def test_hot_windows_keep_their_shards_apart(world: World) -> None:
    world.add_hot(at(9, 5), {"click": hot(1), "view": hot(2, errors=1, latencies=(0.0, 9.5))})
    world.add_hot(at(9, 5), {"click": hot(3)})
    world.add_hot(at(10, 55), {"view": hot(4)})
    world.add_hot(at(11), {"view": hot(5)})

    parts = world.readings.hot_slices([at(9), at(10)])

    found = [(part.start, name, of) for part in parts for name, of in part.types.items()]
    assert sorted(found, key=lambda each: (each[0], each[2].count)) == [
        (at(9, 5), "click", hot(1)),
        (at(9, 5), "view", hot(2, errors=1, latencies=(0.0, 9.5))),
        (at(9, 5), "click", hot(3)),
        (at(10, 55), "view", hot(4)),
    ]


def test_hot_windows_of_one_type_leave_the_others_out(world: World) -> None:
    world.add_hot(at(9, 5), {"add to cart: v1.2": hot(1), "view": hot(2)})
    world.add_hot(at(9, 10), {"view": hot(9)})

    parts = world.readings.hot_slices([NINE], "add to cart: v1.2")

    assert [part.types for part in parts if part.types] == [{"add to cart: v1.2": hot(1)}]


def test_no_hour_asked_for_is_no_window_found(world: World) -> None:
    world.add_hot(at(9, 5), {"click": hot(1)})

    assert world.readings.hot_slices([]) == []


def test_types_are_listed_by_name_from_where_a_page_ended(world: World) -> None:
    for name in ("view", "click", "buy"):
        world.add_type(type_entry(name, at(8), at(9)))

    assert [each.event_type for each in world.readings.event_types("", 2)] == ["buy", "click"]
    assert world.readings.event_types("click", 2) == [type_entry("view", at(8), at(9))]


def test_alerts_are_newest_first_and_half_open(world: World) -> None:
    for hour in (7, 8, 9, 10):
        world.add_alert(alert("click", at(hour)), sent_at=at(14))

    rows = world.readings.alerts(at(8), at(10), 10)

    assert [(row.alert, row.state, row.sent_at) for row in rows] == [
        (alert("click", at(9)), "SENT", "2026-02-20T14:00:00.000Z"),
        (alert("click", at(8)), "SENT", "2026-02-20T14:00:00.000Z"),
    ]


def test_an_alert_that_was_not_sent_yet_is_listed_too(world: World) -> None:
    world.add_alert(alert("click", NINE))

    [row] = world.readings.alerts(at(9), at(10), 10)

    assert (row.state, row.sent_at, row.resolved_at) == ("PENDING", None, None)


def test_alerts_of_one_type_fill_their_page_though_others_lie_between(world: World) -> None:
    for hour in range(12):
        world.add_alert(alert("view" if hour % 4 else "click", at(hour)))

    first = world.readings.alerts(at(0), at(12), 2, event_type="click")
    rest = world.readings.alerts(at(0), at(12), 2, event_type="click", before=first[-1].key)

    assert [row.alert.window_start.hour for row in first + rest] == [8, 4, 0]


def test_alerts_of_one_hour_are_parted_by_pages_without_loss(world: World) -> None:
    for name in ("buy", "click", "view"):
        world.add_alert(alert(name, NINE), sent_at=at(14))
    seen: list[str] = []
    before = None

    while rows := world.readings.alerts(at(9), at(10), 1, before=before):
        seen.append(rows[0].alert.event_type)
        before = rows[0].key

    assert sorted(seen) == ["buy", "click", "view"]


def test_runs_are_newest_first_from_where_a_page_ended(world: World) -> None:
    older, newer = run("2026-02-20T09:07:00.000Z"), run("2026-02-20T10:07:00.000Z")
    failed = run("2026-02-20T08:07:00.000Z", status="FAILED", error="StoreError", events=None)
    for each in (older, failed, newer):
        world.add_run(each)

    assert world.readings.runs(2) == [newer, older]
    assert world.readings.runs(2, before=older.key) == [failed]


def test_nothing_stored_is_nothing_found(world: World) -> None:
    readings = world.readings

    found: list[Callable[[], Any]] = [
        lambda: readings.hours(at(0), at(9), 5),
        lambda: readings.type_hours("click", at(0), at(9)),
        lambda: readings.hot_slices([at(0), at(1)]),
        lambda: readings.event_types("", 5),
        lambda: readings.alerts(at(0), at(9), 5),
        lambda: readings.runs(5),
    ]

    assert not any(read() for read in found)
    assert readings.check() == {"hot_table": True, "aggregates_table": True}


def test_an_alert_that_was_taken_back_says_when(dynamo: DynamoWorld) -> None:
    dynamo.add_alert(alert("click", NINE), sent_at=at(10))
    DynamoAlertOutbox(dynamo.client, AGGREGATES).resolve(NINE, set(), 4, at(11))

    [row] = dynamo.readings.alerts(at(9), at(10), 10)

    assert (row.state, row.resolved_at) == ("SENT", "2026-02-20T11:00:00.000Z")


def test_items_past_their_ttl_are_not_there(dynamo: DynamoWorld) -> None:
    dynamo.add_hot(at(9, 5), {"click": hot(1)})
    dynamo.now = at(9, 5) + RETENTION - timedelta(seconds=1)
    before = dynamo.readings.hot_slices([NINE])
    dynamo.now = at(9, 5) + RETENTION

    assert len(before) == 1
    assert dynamo.readings.hot_slices([NINE]) == []


def test_items_past_their_ttl_take_no_place_on_a_page(dynamo: DynamoWorld) -> None:
    past = int(dynamo.now.timestamp()) - 1
    for name in ("a", "b", "c"):
        hours = {"first_hour": "2026-02-20T09", "last_hour": "2026-02-20T09"}
        dynamo.put(AGGREGATES, pk="TYPES", sk=name, ttl=None if name == "c" else past, **hours)

    assert [each.event_type for each in dynamo.readings.event_types("", 1)] == ["c"]


def test_an_hour_that_was_only_marked_is_not_aggregated(dynamo: DynamoWorld) -> None:
    DynamoHourMarks(dynamo.client, AGGREGATES).raise_generation([NINE])

    [state] = dynamo.readings.hours(at(9), at(10), 5)

    assert state == HourProgress(NINE, 1, is_open=True)


def test_more_than_a_megabyte_is_read_page_after_page(dynamo: DynamoWorld) -> None:
    for name in "abc":
        hours = {"first_hour": "2026-02-20T09", "last_hour": "2026-02-20T09"}
        dynamo.put(AGGREGATES, pk="TYPES", sk=name, filler="x" * 390_000, **hours)

    assert [each.event_type for each in dynamo.readings.event_types("", 9)] == ["a", "b", "c"]


def test_a_run_adds_up_the_hours_that_the_state_machine_packed(dynamo: DynamoWorld) -> None:
    dynamo.put(
        AGGREGATES,
        pk="RUNS",
        sk="2026-02-20T10:07:00.000Z#run-1",
        run_id="run-1",
        status="SUCCEEDED",
        started_at="2026-02-20T10:07:00.000Z",
        hours=2,
        results=json.dumps([{"events": 40, "anomalies": 1}, {"events": 2, "anomalies": 0}]),
    )

    [row] = dynamo.readings.runs(1)

    assert (row.hours, row.events, row.anomalies) == (2, 42, 1)


def test_a_failed_run_tells_its_message_and_no_stack_trace(dynamo: DynamoWorld) -> None:
    cause = {"errorMessage": "the lake does not answer", "stackTrace": ["secret/path.py"]}
    dynamo.put(
        AGGREGATES,
        pk="RUNS",
        sk="2026-02-20T10:07:00.000Z#run-1",
        run_id="run-1",
        status="FAILED",
        started_at="2026-02-20T10:07:00.000Z",
        error="StoreError",
        cause=json.dumps(cause),
    )

    [row] = dynamo.readings.runs(1)

    assert (row.error, row.cause) == ("StoreError", "the lake does not answer")


def test_a_store_that_is_gone_is_told_and_raises_our_error(dynamo: DynamoWorld) -> None:
    dynamo.client.delete_table(TableName=HOT)

    assert dynamo.readings.check() == {"hot_table": False, "aggregates_table": True}
    with pytest.raises(StoreError, match="dynamodb:Query failed: ResourceNotFoundException"):
        dynamo.readings.hot_slices([NINE])


def test_the_instants_of_a_result_may_be_spelled_with_milliseconds(dynamo: DynamoWorld) -> None:
    row = result("click", NINE, 4).model_dump(mode="json")
    row |= {"window_start": rfc3339(NINE), "window_end": rfc3339(at(10))}
    dynamo.put(AGGREGATES, pk="TYPE#click", sk=hour_sk(NINE), **row)

    assert dynamo.readings.type_hours("click", NINE, at(10)) == {NINE: result("click", NINE, 4)}
