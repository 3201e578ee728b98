"""The generations of hours in memory and in DynamoDB behave alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from moto import mock_aws

from common.adapters.calls import CLIENT_CONFIG
from common.adapters.hours import DynamoHourMarks
from common.errors import StoreError, ThrottledError
from common.ports.hours import HourMarks
from contract.tables import create_aggregates_table
from fakes.aws_answers import Answer, answer_with, skip_waits
from fakes.hours import MemoryHourMarks

TABLE = "aggregates"
NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
BEFORE = NOW - timedelta(hours=1)


class Stored:
    """Marks, the generations they came to and the hours that are open."""

    def __init__(self, marks: HourMarks, client: Any = None) -> None:
        self.marks = marks
        self._client = client

    def generations(self) -> dict[str, int]:
        if isinstance(self.marks, MemoryHourMarks):
            return dict(self.marks.generations)
        items = self._client.scan(TableName=TABLE)["Items"]
        return {item["sk"]["S"].removeprefix("HOUR#"): int(item["gen"]["N"]) for item in items}

    def opened(self) -> set[str]:
        if isinstance(self.marks, MemoryHourMarks):
            return self.marks.opened
        page = self._client.query(
            TableName=TABLE,
            IndexName="OpenIndex",
            KeyConditionExpression="#open = :hour",
            ExpressionAttributeNames={"#open": "open"},
            ExpressionAttributeValues={":hour": {"S": "HOUR"}},
        )
        return {item["sk"]["S"].removeprefix("HOUR#") for item in page["Items"]}


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="us-east-1", config=CLIENT_CONFIG)
        create_aggregates_table(dynamodb, TABLE)
        yield dynamodb


@pytest.fixture(params=["memory", "dynamodb"])
def stored(request: pytest.FixtureRequest) -> Stored:
    if request.param == "memory":
        return Stored(MemoryHourMarks())
    client = request.getfixturevalue("client")
    return Stored(DynamoHourMarks(client, TABLE), client)


def test_a_first_mark_makes_the_hour_and_opens_it(stored: Stored) -> None:
    stored.marks.raise_generation([NOW, BEFORE])

    assert stored.generations() == {"2026-11-20T10": 1, "2026-11-20T09": 1}
    assert stored.opened() == {"2026-11-20T10", "2026-11-20T09"}


def test_each_further_mark_raises_the_generation(stored: Stored) -> None:
    for hours in ([NOW], [NOW, BEFORE], [NOW]):
        stored.marks.raise_generation(hours)

    assert stored.generations() == {"2026-11-20T10": 3, "2026-11-20T09": 1}


def test_no_hours_are_no_error(stored: Stored) -> None:
    stored.marks.raise_generation([])

    assert stored.generations() == {}


def test_many_hours_are_all_marked(stored: Stored) -> None:
    stored.marks.raise_generation([NOW - timedelta(hours=back) for back in range(168)])

    assert len(stored.generations()) == 168


def test_a_final_hour_that_gets_an_event_is_open_again_and_keeps_what_it_holds(
    client: Any,
) -> None:
    key = {"pk": {"S": "HOURS"}, "sk": {"S": "HOUR#2026-11-20T10"}}
    result = {"gen": {"N": "4"}, "agg_gen": {"N": "4"}, "status": {"S": "final"}}
    client.put_item(TableName=TABLE, Item={**key, **result})

    DynamoHourMarks(client, TABLE).raise_generation([NOW])

    item = client.get_item(TableName=TABLE, Key=key)["Item"]
    assert item == {**key, **result, "gen": {"N": "5"}, "open": {"S": "HOUR"}}


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        pytest.param(
            [(400, "ProvisionedThroughputExceededException")] * 3, ThrottledError, id="throttled"
        ),
        pytest.param([(400, "ValidationException")], StoreError, id="refused"),
        pytest.param([ReadTimeoutError(endpoint_url="x")] * 3, StoreError, id="no answer"),
    ],
)
def test_dynamodbs_errors_become_ours(
    client: Any, answers: list[Answer], error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_waits(monkeypatch)
    answer_with(client, *answers)

    with pytest.raises(error, match="dynamodb:UpdateItem") as raised:
        DynamoHourMarks(client, TABLE).raise_generation([NOW])

    assert type(raised.value) is error
