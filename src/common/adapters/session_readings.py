"""What the query function reads of people's sessions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING

from common.adapters.calls import PARALLEL_CALLS, our_errors
from common.adapters.patience import SYSTEM_TIME, Patience, Waiting
from common.adapters.reading_items import is_alive
from common.adapters.session_items import person_of
from common.adapters.session_reader import SessionReader
from common.domain.keys import ACTIVE_INDEX, active_part, person_pk
from common.errors import StoreError, ThrottledError
from common.ports.sessions import ActiveSlot, PersonSessions, SessionReadings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_PREFIX = person_pk("")
_LIMIT_S = 1.0
"""Somebody waits for the answer."""


class DynamoSessionReadings(SessionReadings):
    """Reads items, and finds the active in their index; ``now`` tells what has expired."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        now: Callable[[], datetime],
        waiting: Waiting = SYSTEM_TIME,
    ) -> None:
        self._client = client
        self._table = table
        self._now = now
        self._patience = Patience(waiting, _LIMIT_S)
        self._reader = SessionReader(client, table, self._patience)

    def of_person(self, key: str) -> PersonSessions | None:
        return next(iter(self.of_people([key])), None)

    def of_people(self, keys: Sequence[str]) -> list[PersonSessions]:
        self._patience.begin()
        now_s = int(self._now().timestamp())
        found = {
            item["pk"]["S"]: person_of(item)
            for item in self._reader.items(keys)
            if is_alive(item, now_s)
        }
        return [found[pk] for pk in map(person_pk, keys) if pk in found]

    def active(self, slots: Sequence[ActiveSlot], limit: int) -> list[list[str]]:
        def of_slot(slot: ActiveSlot) -> list[str]:
            return self._active(slot, limit)

        if len(slots) < 2:
            return [of_slot(slot) for slot in slots]
        with ThreadPoolExecutor(min(PARALLEL_CALLS, len(slots))) as pool:
            return list(pool.map(of_slot, slots))

    def _active(self, slot: ActiveSlot, limit: int) -> list[str]:
        with our_errors("dynamodb:Query"):
            page = self._client.query(
                TableName=self._table,
                IndexName=ACTIVE_INDEX,
                KeyConditionExpression="active = :slot AND pk > :after",
                ExpressionAttributeValues={
                    ":slot": {"S": active_part(slot.at, slot.part)},
                    ":after": {"S": person_pk(slot.after)},
                },
                Limit=limit,
            )
        # Keys only: a page of them never reaches DynamoDB's megabyte.
        return [item["pk"]["S"].removeprefix(_PREFIX) for item in page["Items"]]

    def check(self) -> bool:
        try:
            self.of_person("")
            self._active(ActiveSlot(self._now(), 0), 1)
        except (StoreError, ThrottledError):
            return False
        return True
