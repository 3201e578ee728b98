"""What the query function reads of the event index."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from common.adapters.calls import our_errors
from common.adapters.event_index_items import from_item
from common.adapters.reading_items import is_alive
from common.domain.event_index import IndexEntry
from common.domain.keys import event_pk
from common.errors import StoreError, ThrottledError
from common.ports.event_index import EventIndexReadings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoEventIndexReadings(EventIndexReadings):
    """Reads entries as the last write left them; ``now`` tells what has expired."""

    def __init__(self, client: DynamoDBClient, table: str, now: Callable[[], datetime]) -> None:
        self._client = client
        self._table = table
        self._now = now

    def find(self, event_id: str, source: str | None = None) -> list[IndexEntry]:
        condition, values = "pk = :pk", {":pk": {"S": event_pk(event_id)}}
        if source is not None:
            condition, values[":source"] = "pk = :pk AND sk = :source", {"S": source}
        with our_errors("dynamodb:Query"):
            # One page: its megabyte holds the copies of more sources than anyone has.
            page = self._client.query(
                TableName=self._table,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=values,
                ConsistentRead=True,
            )
        now_s = int(self._now().timestamp())
        return [from_item(item) for item in page["Items"] if is_alive(item, now_s)]

    def check(self) -> bool:
        try:
            self.find("-")
        except (StoreError, ThrottledError):
            return False
        return True
