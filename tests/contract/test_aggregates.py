"""The fake aggregates of the tests and the adapter on DynamoDB must behave alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import boto3
import pytest
from moto import mock_aws

from common.adapters.aggregates import DynamoAggregates
from common.adapters.hours import DynamoHourMarks
from common.adapters.readings import DynamoReadings
from common.domain.anomaly import PastHour
from common.domain.windows import HOUR
from common.errors import ConditionLostError, StoreError
from common.models import AggregationResult, AnomalyFinding
from common.ports.aggregates import AggregateStore, HourProgress, HourSummary, SchemaUse, TypeSpan
from common.ports.hours import HourMarks
from contract.tables import create_aggregates_table
from fakes.aggregates import MemoryAggregates

NINE = datetime(2026, 11, 20, 9, tzinfo=UTC)
TABLE = "aggregates"


class Store(AggregateStore, HourMarks, Protocol):
    """What aggregate writes, and the mark that process makes in the same table."""


class DynamoStore(DynamoAggregates):
    def __init__(self, client: Any) -> None:
        super().__init__(client, TABLE)
        self.client = client
        self.raise_generation = DynamoHourMarks(client, TABLE).raise_generation

    def item(self, pk: str, sk: str) -> dict[str, Any]:
        item: dict[str, Any] = self.client.get_item(
            TableName=TABLE, Key={"pk": {"S": pk}, "sk": {"S": sk}}
        )["Item"]
        return item


@pytest.fixture
def dynamo() -> Iterator[DynamoStore]:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-central-1")
        create_aggregates_table(client, TABLE)
        yield DynamoStore(client)


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "memory":
        return MemoryAggregates()
    found: Store = request.getfixturevalue("dynamo")
    return found


def a_result(event_type: str = "click", hour: datetime = NINE, **changes: Any) -> AggregationResult:
    values = {
        "event_type": event_type,
        "window_start": hour,
        "window_end": hour + HOUR,
        "count": 412,
        "errors": 3,
        "unique_users": 98,
        "latency_count": 400,
        "schema_violations": 7,
        "latency_p50": 12.5,
        "latency_p90": 88.125,
        "latency_p95": 120.0,
        "latency_p99": 1e12,
        "status": "final",
        "generation": 3,
        "updated_at": hour + HOUR + timedelta(minutes=7),
    }
    return AggregationResult.model_validate(values | changes)


def a_summary(
    generation: int, status: str = "final", hour: datetime = NINE, **changes: Any
) -> HourSummary:
    return HourSummary(
        hour=hour,
        generation=generation,
        status=status,  # type: ignore[arg-type]
        events=412,
        errors=3,
        unique_users=98,
        types=("click", "view"),
        aggregated_at=NINE + HOUR,
        run_id="run-1",
        **changes,
    )


def a_finding() -> AnomalyFinding:
    return AnomalyFinding(
        metric="count",
        value=412.0,
        direction="up",
        z_score=22.097,
        threshold=3.0,
        baseline_mean=120.3,
        baseline_sd=13.2,
        baseline_windows=168,
        expected_low=80.7,
        expected_high=159.9,
        explanation="412 click events",
    )


def test_an_hour_that_nothing_is_stored_of_has_not_begun(store: Store) -> None:
    assert store.hour(NINE) == HourProgress(NINE)
    assert store.hour(NINE).is_dirty


def test_marking_opens_an_hour(store: Store) -> None:
    store.raise_generation([NINE, NINE + HOUR])
    store.raise_generation([NINE])

    assert store.hour(NINE) == HourProgress(NINE, generation=2, is_open=True)
    assert store.open_hours(before=NINE + HOUR) == [store.hour(NINE)]


def test_open_hours_are_oldest_first_and_half_open(store: Store) -> None:
    store.raise_generation([NINE + 2 * HOUR, NINE, NINE - 30 * HOUR, NINE + HOUR])

    hours = [each.hour for each in store.open_hours(before=NINE + 2 * HOUR)]

    assert hours == [NINE - 30 * HOUR, NINE, NINE + HOUR]


def test_a_final_hour_that_nothing_came_for_is_closed(store: Store) -> None:
    store.raise_generation([NINE])

    store.finish_hour(a_summary(1))

    assert store.hour(NINE) == HourProgress(NINE, 1, 1, "final", is_open=False)
    assert store.open_hours(before=NINE + HOUR) == []
    assert store.final_hours(NINE, NINE + HOUR) == {NINE}


def test_an_hour_that_was_marked_meanwhile_stays_open(store: Store) -> None:
    store.raise_generation([NINE])
    store.raise_generation([NINE])

    store.finish_hour(a_summary(1))

    assert store.hour(NINE) == HourProgress(NINE, 2, 1, "final", is_open=True)
    assert store.hour(NINE).is_late


def test_a_provisional_hour_stays_open(store: Store) -> None:
    store.raise_generation([NINE])

    store.finish_hour(a_summary(1, "provisional"))

    assert store.hour(NINE) == HourProgress(NINE, 1, 1, "provisional", is_open=True)
    assert not store.hour(NINE).is_dirty
    assert store.final_hours(NINE, NINE + HOUR) == set()


@pytest.mark.parametrize(("status", "is_open"), [("final", False), ("provisional", True)])
def test_an_hour_without_any_event_is_written_too(store: Store, status: str, is_open: bool) -> None:
    store.finish_hour(a_summary(0, status))

    assert store.hour(NINE) == HourProgress(NINE, 0, 0, status, is_open)  # type: ignore[arg-type]
    assert [each.hour for each in store.open_hours(NINE + HOUR)] == [NINE] * is_open


def test_an_hour_that_was_never_marked_is_not_closed_by_a_run_that_saw_a_mark(
    store: Store,
) -> None:
    store.finish_hour(a_summary(1))

    assert store.hour(NINE).is_open


@pytest.mark.parametrize("status", ["final", "provisional"])
def test_an_older_run_does_not_finish_over_a_newer_one(store: Store, status: str) -> None:
    store.raise_generation([NINE])
    older, newer = store.begin(NINE), store.begin(NINE)
    store.finish_hour(a_summary(1, attempt=newer.attempt))

    with pytest.raises(ConditionLostError):
        store.finish_hour(a_summary(1, status, attempt=older.attempt))

    assert store.hour(NINE) == HourProgress(NINE, 1, 1, "final", is_open=False, attempt=2)


def test_beginning_opens_the_hour_and_counts_the_attempt_and_nothing_else(store: Store) -> None:
    assert store.begin(NINE) == HourProgress(NINE, is_open=True, attempt=1)
    assert store.hour(NINE).aggregated_generation is None
    assert [each.hour for each in store.open_hours(NINE + HOUR)] == [NINE]
    store.raise_generation([NINE])

    assert store.begin(NINE) == HourProgress(NINE, 1, is_open=True, attempt=2)


def test_beginning_again_keeps_what_a_final_hour_holds(store: Store) -> None:
    store.begin(NINE)
    store.finish_hour(a_summary(0, attempt=1))
    assert store.hour(NINE) == HourProgress(NINE, 0, 0, "final", is_open=False, attempt=1)

    assert store.begin(NINE) == HourProgress(NINE, 0, 0, "final", is_open=True, attempt=2)
    assert store.final_hours(NINE, NINE + HOUR) == {NINE}


def test_an_hour_that_another_attempt_has_begun_stays_open_for_it(store: Store) -> None:
    store.raise_generation([NINE])
    older, newer = store.begin(NINE), store.begin(NINE)

    store.finish_hour(a_summary(1, attempt=older.attempt))
    assert store.hour(NINE) == HourProgress(NINE, 1, 1, "final", is_open=True, attempt=2)

    store.finish_hour(a_summary(1, attempt=newer.attempt))
    assert not store.hour(NINE).is_open


def test_an_hour_in_which_types_were_folded_says_nothing_of_types_it_does_not_name(
    store: Store,
) -> None:
    store.finish_hour(a_summary(0, folded=3))
    store.finish_hour(a_summary(0, hour=NINE + HOUR))

    assert store.final_hours(NINE, NINE + 2 * HOUR) == {NINE + HOUR}


def test_a_run_of_the_same_generation_may_finish_again(store: Store) -> None:
    store.raise_generation([NINE])
    store.finish_hour(a_summary(1, "provisional"))

    store.finish_hour(a_summary(1))

    assert store.hour(NINE) == HourProgress(NINE, 1, 1, "final", is_open=False)


def test_a_closed_hour_can_be_opened_again(store: Store) -> None:
    store.raise_generation([NINE])
    store.finish_hour(a_summary(1))

    store.reopen_hour(NINE)

    assert store.open_hours(NINE + HOUR) == [HourProgress(NINE, 1, 1, "final", is_open=True)]


def test_final_hours_are_half_open(store: Store) -> None:
    for n, status in enumerate(("final", "final", "provisional", "final")):
        store.finish_hour(a_summary(0, status, hour=NINE + n * HOUR))

    assert store.final_hours(NINE + HOUR, NINE + 3 * HOUR) == {NINE + HOUR}
    assert store.final_hours(NINE, NINE) == set()


def test_results_are_read_back_as_history(store: Store) -> None:
    results = [a_result(hour=NINE + n * HOUR, count=n) for n in range(4)]
    bare = a_result("view", latency_count=0, latency_p95=None, status="provisional")

    store.put_results([*results, bare])

    assert store.history(["click", "view", "none"], NINE, NINE + 2 * HOUR) == {
        "click": {each.window_start: PastHour.of(each) for each in results[:2]},
        "view": {NINE: PastHour.of(bare)},
        "none": {},
    }
    assert store.history(["click"], NINE, NINE) == {"click": {}}
    assert store.history([], NINE, NINE + HOUR) == {}


def test_one_result_is_read_back_whole(store: Store) -> None:
    result = a_result(latency_p99=None, anomalies=(a_finding(),))

    store.put_results([result])

    assert store.result("click", NINE) == result
    assert store.result("click", NINE + HOUR) is None
    assert store.result("view", NINE) is None


def test_a_result_goes_over_one_of_an_earlier_attempt_only(store: Store) -> None:
    store.put_results([a_result(attempt=3, count=1)])
    store.put_results([a_result(attempt=3, count=2)])
    store.put_results([a_result(attempt=5, count=3)])

    with pytest.raises(ConditionLostError):
        store.put_results([a_result(attempt=4, count=4)])

    assert store.history(["click"], NINE, NINE + HOUR)["click"][NINE].count == 3


def test_a_folded_type_replaces_its_result_and_is_not_known(store: Store) -> None:
    store.put_results([a_result(attempt=1, anomalies=(a_finding(),))])

    store.put_results([_folded(attempt=2)])

    found = store.result("click", NINE)
    assert found is not None
    assert (found.is_folded, found.attempt, found.anomalies) == (True, 2, ())
    assert not store.history(["click"], NINE, NINE + HOUR)["click"][NINE].is_final
    with pytest.raises(ConditionLostError):
        store.put_results([a_result(attempt=1)])

    store.put_results([a_result(attempt=3)])
    assert store.result("click", NINE) == a_result(attempt=3)


def _folded(attempt: int) -> AggregationResult:
    zeros = dict.fromkeys(("count", "errors", "unique_users", "latency_count"), 0)
    none = dict.fromkeys(("latency_p50", "latency_p90", "latency_p95", "latency_p99"))
    return a_result(attempt=attempt, is_folded=True, **zeros, **none)


def test_a_folded_type_is_stored_without_figures_and_readers_do_not_see_it(
    dynamo: DynamoStore,
) -> None:
    readings = DynamoReadings(
        dynamo.client, hot_table="none", aggregates_table=TABLE, now=lambda: NINE + 2 * HOUR
    )

    dynamo.put_results([_folded(attempt=1)])

    assert "count" not in dynamo.item("TYPE#click", "HOUR#2026-11-20T09")
    assert readings.type_hours("click", NINE, NINE + HOUR) == {}


def test_an_hour_that_was_only_begun_is_not_aggregated_to_its_readers(dynamo: DynamoStore) -> None:
    readings = DynamoReadings(
        dynamo.client, hot_table="none", aggregates_table=TABLE, now=lambda: NINE + 2 * HOUR
    )

    dynamo.begin(NINE)

    [state] = readings.hours(NINE, NINE + HOUR, 5)
    assert state == HourProgress(NINE, is_open=True)


def test_a_provisional_result_does_not_go_over_a_final_one_of_its_generation(
    store: Store,
) -> None:
    store.put_results([a_result(status="final", count=1)])

    with pytest.raises(ConditionLostError):
        store.put_results([a_result(status="provisional", count=2)])
    store.put_results([a_result(status="provisional", generation=4, count=3)])
    store.put_results([a_result(status="provisional", generation=4, count=4)])
    store.put_results([a_result(status="final", generation=4, count=5)])

    assert store.history(["click"], NINE, NINE + HOUR)["click"][NINE].count == 5


def test_a_final_hour_does_not_become_provisional_in_its_generation(store: Store) -> None:
    store.raise_generation([NINE])
    store.finish_hour(a_summary(1))

    with pytest.raises(ConditionLostError):
        store.finish_hour(a_summary(1, "provisional"))
    assert store.hour(NINE) == HourProgress(NINE, 1, 1, "final", is_open=False)

    store.raise_generation([NINE])
    store.finish_hour(a_summary(2, "provisional"))
    assert store.hour(NINE) == HourProgress(NINE, 2, 2, "provisional", is_open=True)


def test_the_catalogue_spans_the_hours_of_a_type(store: Store) -> None:
    for n in (0, 3, -2, 1):
        store.widen_types(["click"], NINE + n * HOUR)
    store.widen_types(["a type: with.signs-1", "click"], NINE)

    assert store.known_types() == {
        "click": TypeSpan("click", NINE - 2 * HOUR, NINE + 3 * HOUR),
        "a type: with.signs-1": TypeSpan("a type: with.signs-1", NINE, NINE),
    }


def test_long_lists_are_read_whole(store: Store) -> None:
    hours = [NINE + n * HOUR for n in range(300)]
    names = [f"type-{n}" for n in range(40)]

    store.put_results([a_result(hour=hour) for hour in hours])
    store.widen_types(names, NINE)
    store.raise_generation(hours)

    assert len(store.history(["click"], NINE, hours[-1] + HOUR)["click"]) == 300
    assert store.known_types().keys() == set(names)
    assert len(store.open_hours(hours[-1] + HOUR)) == 300


def test_what_is_written_is_what_the_query_function_reads(dynamo: DynamoStore) -> None:
    result = a_result(anomalies=(a_finding(),))
    everything = replace(a_summary(1), types=("click",))
    now = NINE + timedelta(hours=2)
    readings = DynamoReadings(
        dynamo.client, hot_table="none", aggregates_table=TABLE, now=lambda: now
    )

    dynamo.raise_generation([NINE])
    dynamo.put_results([result])
    dynamo.widen_types(["click"], NINE)
    dynamo.finish_hour(everything)

    assert readings.type_hours("click", NINE, NINE + HOUR) == {NINE: result}
    [entry] = readings.event_types("", 10)
    assert (entry.event_type, entry.first_hour, entry.last_hour) == ("click", NINE, NINE)
    [state] = readings.hours(NINE, NINE + HOUR, 10)
    assert (state.status, state.is_dirty) == ("final", False)


def test_the_stored_shapes_are_those_that_are_documented(dynamo: DynamoStore) -> None:
    dynamo.put_results([a_result(latency_p99=None, anomalies=(a_finding(),))])
    dynamo.finish_hour(a_summary(0, "provisional", schemas={"click": SchemaUse(2, 7)}))

    result = dynamo.item("TYPE#click", "HOUR#2026-11-20T09")
    assert result["window_start"] == {"S": "2026-11-20T09:00:00.000Z"}
    assert result["count"] == {"N": "412"}
    assert result["schema_violations"] == {"N": "7"}
    assert result["latency_p90"] == {"N": "88.125"}
    assert "latency_p99" not in result
    assert result["anomalies"]["L"][0]["M"]["z_score"] == {"N": "22.097"}
    hour = dynamo.item("HOURS", "HOUR#2026-11-20T09")
    assert hour == {
        "pk": {"S": "HOURS"},
        "sk": {"S": "HOUR#2026-11-20T09"},
        "gen": {"N": "0"},
        "agg_gen": {"N": "0"},
        "agg_attempt": {"N": "0"},
        "folded": {"N": "0"},
        "status": {"S": "provisional"},
        "open": {"S": "HOUR"},
        "events": {"N": "412"},
        "errors": {"N": "3"},
        "unique_users": {"N": "98"},
        "types": {"L": [{"S": "click"}, {"S": "view"}]},
        "schemas": {"M": {"click": {"M": {"version": {"N": "2"}, "violations": {"N": "7"}}}}},
        "aggregated_at": {"S": "2026-11-20T10:00:00.000Z"},
        "run_id": {"S": "run-1"},
    }


def test_a_store_that_fails_is_told_by_our_error(dynamo: DynamoStore) -> None:
    dynamo.client.delete_table(TableName=TABLE)

    for call in (
        lambda: dynamo.hour(NINE),
        dynamo.known_types,
        lambda: dynamo.put_results([a_result()]),
        lambda: dynamo.widen_types(["click"], NINE),
        lambda: dynamo.finish_hour(a_summary(1)),
    ):
        with pytest.raises(StoreError, match="dynamodb:"):
            call()
