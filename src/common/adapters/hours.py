"""Generations of hours, in the aggregates table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from common.adapters.calls import in_parallel, our_errors
from common.domain.keys import HOURS_PK, hour_sk
from common.ports.hours import HourMarks

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoHourMarks(HourMarks):
    """Counts an hour's generation in its item and lists the item in the sparse index.

    A try that is repeated after a lost answer counts twice: a generation only has to grow.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def raise_generation(self, hours: Sequence[datetime]) -> None:
        in_parallel(self._raise, hours)

    def _raise(self, hour: datetime) -> None:
        with our_errors("dynamodb:UpdateItem"):
            self._client.update_item(
                TableName=self._table,
                Key={"pk": {"S": HOURS_PK}, "sk": {"S": hour_sk(hour)}},
                UpdateExpression="ADD #gen :one SET #open = :hour",
                ExpressionAttributeNames={"#gen": "gen", "#open": "open"},
                ExpressionAttributeValues={":one": {"N": "1"}, ":hour": {"S": "HOUR"}},
            )
