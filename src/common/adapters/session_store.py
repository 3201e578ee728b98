"""People's sessions in DynamoDB: one item each, read and written many at a time.

A transaction writes up to a hundred people or none of them. An item that changed under it is told
in the cancellation, so that it need not be read again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from common.adapters.patience import SYSTEM_TIME, Patience, Waiting
from common.adapters.session_items import from_item, person_of, size_of, to_item
from common.adapters.session_reader import SessionReader
from common.adapters.transactions import Transactions, in_transactions
from common.domain.sessions import Person, SessionRules
from common.domain.timelines import Timeline
from common.ports.sessions import Change, SessionStore, Written

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoSessionStore(SessionStore):
    """Keeps timelines for as long as the rules say."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        rules: SessionRules,
        waiting: Waiting = SYSTEM_TIME,
    ) -> None:
        self._patience = Patience(waiting)
        self._transactions = Transactions(client, "people", self._patience)
        self._table = table
        self._rules = rules
        self._reader = SessionReader(client, table, self._patience)

    def begin(self) -> None:
        self._patience.begin()

    def read(self, people: Sequence[Person]) -> Mapping[Person, Timeline]:
        items = self._reader.items([person.key for person in people])
        return {stored.person: stored.timeline for stored in map(person_of, items)}

    def write(self, changes: Sequence[Change]) -> Written:
        done: set[Person] = set()
        lost: dict[Person, Timeline | None] = {}
        for some in in_transactions(self._sized(changes)):
            refused = self._transactions.put([put for _, put in some])
            if not refused:
                done |= {change.person for change, _ in some}
            for nth, item in refused.items():
                lost[some[nth][0].person] = from_item(item) if item else None
        return Written(frozenset(done), lost)

    def _sized(
        self, changes: Sequence[Change]
    ) -> Iterator[tuple[tuple[Change, dict[str, Any]], int]]:
        for change in changes:
            item = to_item(change.person, change.timeline, self._rules)
            yield (change, self._put(item, change.over)), size_of(item)

    def _put(self, item: dict[str, Any], over: int | None) -> dict[str, Any]:
        put: dict[str, Any] = {
            "TableName": self._table,
            "Item": item,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if over is None:
            return put | {"ConditionExpression": "attribute_not_exists(pk)"}
        return put | {
            "ConditionExpression": "version = :old",
            "ExpressionAttributeValues": {":old": {"N": str(over)}},
        }
