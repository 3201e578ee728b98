"""What readers see of the two tables. Every call is a Query; nothing is ever scanned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from common.adapters import reading_items as items
from common.adapters.calls import PARALLEL_CALLS, our_errors
from common.domain.keys import (
    ALERTS_PK,
    HOURS_PK,
    RUNS_PK,
    TYPES_PK,
    hot_pk,
    hour_sk,
    type_pk,
)
from common.domain.windows import hour_of, iso_hour
from common.errors import StoreError, ThrottledError
from common.models import AggregationResult
from common.ports.aggregates import HourProgress, SchemaUse, TypeSpan
from common.ports.readings import AlertRow, HotSlice, Readings, RunRow

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_A_MOMENT = timedelta(microseconds=1)


class DynamoReadings(Readings):
    """Reads the hot table and the aggregates table.

    Items past their ``ttl`` are left out: DynamoDB deletes them days later.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        *,
        hot_table: str,
        aggregates_table: str,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._hot_table = hot_table
        self._aggregates_table = aggregates_table
        self._now = now

    def hours(self, start: datetime, end: datetime, limit: int) -> list[HourProgress]:
        rows = self._between(HOURS_PK, hour_sk(start), hour_sk(end - _A_MOMENT), limit=limit)
        return [items.hour_progress(row) for row in rows]

    def type_hours(
        self, event_type: str, start: datetime, end: datetime
    ) -> dict[datetime, AggregationResult]:
        rows = self._between(type_pk(event_type), hour_sk(start), hour_sk(end - _A_MOMENT))
        # A folded type's item has no figures: they are part of ``_other`` there.
        results = (items.type_hour(row) for row in rows if not items.is_folded(row))
        return {result.window_start: result for result in results}

    def hot_slices(
        self, hours: Sequence[datetime], event_type: str | None = None
    ) -> list[HotSlice]:
        def of_hour(hour: datetime) -> list[HotSlice]:
            return self._hot_hour(hour, event_type)

        if len(hours) < 2:
            return [part for hour in hours for part in of_hour(hour)]
        with ThreadPoolExecutor(min(PARALLEL_CALLS, len(hours))) as pool:
            return [part for found in pool.map(of_hour, hours) for part in found]

    def _hot_hour(self, hour: datetime, event_type: str | None) -> list[HotSlice]:
        names = {"#ttl": "ttl", "#types": "types"}
        if event_type is not None:
            names["#type"] = event_type
        rows = self._query(
            self._hot_table,
            "pk = :pk",
            {":pk": {"S": hot_pk(hour)}},
            ProjectionExpression=f"sk, #ttl, #types{'.#type' if event_type is not None else ''}",
            ExpressionAttributeNames=names,
        )
        return [items.hot_slice(row, hour_of(hour)) for row in rows]

    def event_types(self, after: str, limit: int) -> list[TypeSpan]:
        values = {":pk": {"S": TYPES_PK}}
        condition = "pk = :pk"
        if after:
            condition, values[":after"] = "pk = :pk AND sk > :after", {"S": after}
        rows = self._query(self._aggregates_table, condition, values, limit=limit)
        return [items.type_span(row) for row in rows]

    def schemas(self, start: datetime, end: datetime) -> dict[datetime, Mapping[str, SchemaUse]]:
        rows = self._between(
            HOURS_PK,
            hour_sk(start),
            hour_sk(end - _A_MOMENT),
            ProjectionExpression="sk, #schemas",
            ExpressionAttributeNames={"#schemas": "schemas"},
        )
        return {items.hour_of_item(row): found for row in rows if (found := items.schemas(row))}

    def alerts(
        self,
        start: datetime,
        end: datetime,
        limit: int,
        *,
        event_type: str | None = None,
        before: str | None = None,
    ) -> list[AlertRow]:
        # A key is longer than its hour alone, so the last hour's name excludes that hour's keys.
        wanted: dict[str, Any] = {"ScanIndexForward": False}
        values: dict[str, Any] = {}
        if event_type is not None:
            wanted["FilterExpression"] = "event_type = :type"
            values[":type"] = {"S": event_type}
        rows = self._between(
            ALERTS_PK, iso_hour(start), before or iso_hour(end), values=values, **wanted
        )
        found = (items.alert(row) for row in rows if row["sk"]["S"] != before)
        return [alert for alert, _ in zip(found, range(limit), strict=False)]

    def runs(self, limit: int, *, before: str | None = None) -> list[RunRow]:
        values = {":pk": {"S": RUNS_PK}}
        condition = "pk = :pk"
        if before is not None:
            condition, values[":before"] = "pk = :pk AND sk < :before", {"S": before}
        rows = self._query(
            self._aggregates_table, condition, values, limit=limit, ScanIndexForward=False
        )
        return [items.run(row) for row in rows]

    def check(self) -> dict[str, bool]:
        hot = hot_pk(self._now())
        return {
            "hot_table": self._answers(self._hot_table, hot),
            "aggregates_table": self._answers(self._aggregates_table, HOURS_PK),
        }

    def _answers(self, table: str, partition: str) -> bool:
        try:
            list(self._query(table, "pk = :pk", {":pk": {"S": partition}}, limit=1))
        except (StoreError, ThrottledError):
            return False
        return True

    def _between(
        self,
        partition: str,
        first: str,
        last: str,
        *,
        limit: int | None = None,
        values: Mapping[str, Any] | None = None,
        **wanted: Any,  # noqa: ANN401 - parameters of Query, passed on
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the items of a partition with ``first <= sk <= last``."""
        keys = {":pk": {"S": partition}, ":first": {"S": first}, ":last": {"S": last}}
        return self._query(
            self._aggregates_table,
            "pk = :pk AND sk BETWEEN :first AND :last",
            {**keys, **(values or {})},
            limit=limit,
            **wanted,
        )

    def _query(
        self,
        table: str,
        condition: str,
        values: Mapping[str, Any],
        *,
        limit: int | None = None,
        **wanted: Any,  # noqa: ANN401 - parameters of Query, passed on
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the living items that fit, page after page, at most ``limit``."""
        now_s, left = int(self._now().timestamp()), limit
        if limit is not None:
            wanted["Limit"] = limit
        while True:
            with our_errors("dynamodb:Query"):
                page = self._client.query(
                    TableName=table,
                    KeyConditionExpression=condition,
                    ExpressionAttributeValues=values,
                    **wanted,
                )
            for item in page["Items"]:
                if items.is_alive(item, now_s) and (left is None or left > 0):
                    left = None if left is None else left - 1
                    yield item
            if "LastEvaluatedKey" not in page or left == 0:
                return
            wanted["ExclusiveStartKey"] = page["LastEvaluatedKey"]
