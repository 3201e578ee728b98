"""The event index in DynamoDB: an item per event, written many at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from common.adapters.event_index_items import from_item, to_item
from common.adapters.patience import SYSTEM_TIME, Patience, Waiting
from common.adapters.transactions import Transactions, in_transactions
from common.domain.event_index import EventKey, IndexEntry, IndexRules, Stamp
from common.ports.event_index import EventIndexStore, IndexChange, IndexWritten

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ITEM_BYTES = 10_000
"""More than everything of an item beside its line takes."""


class DynamoEventIndex(EventIndexStore):
    """Keeps entries for as long as the rules say."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        rules: IndexRules,
        waiting: Waiting = SYSTEM_TIME,
    ) -> None:
        self._patience = Patience(waiting)
        self._transactions = Transactions(client, "events", self._patience)
        self._table = table
        self._rules = rules

    def begin(self) -> None:
        self._patience.begin()

    def write(self, changes: Sequence[IndexChange]) -> IndexWritten:
        done: set[EventKey] = set()
        lost: dict[EventKey, IndexEntry | None] = {}
        for some in in_transactions(self._sized(changes)):
            refused = self._transactions.put([put for _, put in some])
            if not refused:
                done |= {change.entry.key for change, _ in some}
            for nth, item in refused.items():
                lost[some[nth][0].entry.key] = from_item(item) if item else None
        return IndexWritten(frozenset(done), lost)

    def _sized(
        self, changes: Sequence[IndexChange]
    ) -> Iterator[tuple[tuple[IndexChange, dict[str, Any]], int]]:
        for change in changes:
            size = _ITEM_BYTES + len(change.entry.packed or b"")
            yield (change, self._put(change)), size

    def _put(self, change: IndexChange) -> dict[str, Any]:
        put: dict[str, Any] = {
            "TableName": self._table,
            "Item": to_item(change.entry, self._rules),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if change.over is None:
            return put | {"ConditionExpression": "attribute_not_exists(pk)"}
        return put | {
            "ConditionExpression": "#at = :at AND #state = :state",
            "ExpressionAttributeNames": {"#at": "at", "#state": "state"},
            "ExpressionAttributeValues": _stamp(change.over),
        }


def _stamp(over: Stamp) -> dict[str, Any]:
    return {":at": {"S": over.at}, ":state": {"S": over.state}}
