"""Hourly results, hour states and the type catalogue in the aggregates table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from common.adapters.calls import in_parallel
from common.adapters.table import Table
from common.domain.anomaly import PastHour
from common.domain.keys import HOURS_PK, OPEN_INDEX, TYPES_PK, hour_sk, type_pk
from common.domain.windows import HOUR, iso_hour, parse_iso_hour
from common.errors import ConditionLostError, StoreError
from common.models import AggregationResult, ResultStatus
from common.ports.aggregates import AggregateStore, HourProgress, HourSummary, TypeSpan

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_TRIES_AGAINST_RACES = 3
_UNKNOWN = {
    "count": 0,
    "errors": 0,
    "unique_users": 0,
    "latency_count": 0,
    "schema_violations": 0,
}
"""Figures that a folded type's item does not have."""
_BASELINE_FIELDS = ("count", "errors", "unique_users", "latency_count", "latency_p95")


class DynamoAggregates(AggregateStore):
    """Every write is of one item and conditional; none depends on another having been made."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._table = Table(client, table)

    def hour(self, hour: datetime) -> HourProgress:
        item = self._table.get(HOURS_PK, hour_sk(hour))
        return _progress(item) if item else HourProgress(hour)

    def begin(self, hour: datetime) -> HourProgress:
        item = self._table.update_and_get(
            HOURS_PK,
            hour_sk(hour),
            "ADD #attempt :one SET #open = :open",
            {"one": 1, "open": "HOUR"},
        )
        return _progress(item)

    def open_hours(self, before: datetime) -> list[HourProgress]:
        items = self._table.query(
            "#open = :hour AND #sk < :before",
            {"hour": "HOUR", "before": hour_sk(before)},
            index=OPEN_INDEX,
        )
        return [_progress(item) for item in items]

    def final_hours(self, start: datetime, end: datetime) -> set[datetime]:
        items = self._range(HOURS_PK, start, end, ("sk", "status", "folded"))
        return {
            _hour_of(item)
            for item in items
            if item.get("status") == "final" and not item.get("folded")
        }

    def result(self, event_type: str, hour: datetime) -> AggregationResult | None:
        item = self._table.get(type_pk(event_type), hour_sk(hour))
        if item is None:
            return None
        return AggregationResult.model_validate(
            {**(_UNKNOWN if item.get("is_folded", False) else {}), **item}
        )

    def history(
        self, event_types: Sequence[str], start: datetime, end: datetime
    ) -> dict[str, dict[datetime, PastHour]]:
        found: dict[str, dict[datetime, PastHour]] = {}

        def read(event_type: str) -> None:
            items = self._range(
                type_pk(event_type), start, end, ("sk", "status", "is_folded", *_BASELINE_FIELDS)
            )
            found[event_type] = {_hour_of(item): _past_hour(item) for item in items}

        in_parallel(read, event_types)
        return found

    def known_types(self) -> dict[str, TypeSpan]:
        items = self._table.query("#pk = :pk", {"pk": TYPES_PK})
        return {item["sk"]: _span(item) for item in items}

    def widen_types(self, event_types: Sequence[str], hour: datetime) -> None:
        in_parallel(lambda event_type: self._widen(event_type, iso_hour(hour)), event_types)

    def put_results(self, results: Sequence[AggregationResult]) -> None:
        in_parallel(self._put_result, results)

    def finish_hour(self, summary: HourSummary) -> None:
        if summary.status == "final" and self._write_hour(summary, closes=True):
            return
        if not self._write_hour(summary, closes=False):
            raise ConditionLostError(
                f"a later attempt at {iso_hour(summary.hour)} was finished meanwhile"
            )

    def reopen_hour(self, hour: datetime) -> None:
        self._table.update(HOURS_PK, hour_sk(hour), "SET #open = :open", "", {"open": "HOUR"})

    def _put_result(self, result: AggregationResult) -> None:
        key = {"pk": type_pk(result.event_type), "sk": hour_sk(result.window_start)}
        unknown = set(_UNKNOWN) if result.is_folded else {"is_folded"}
        if not self._table.put(
            {**key, **result.model_dump(exclude=unknown)},
            _newer_than("attempt", "generation", result.status),
            _against(result.attempt, result.generation, result.status),
        ):
            raise ConditionLostError(f"a newer result of {iso_hour(result.window_start)} is there")

    def _write_hour(self, summary: HourSummary, *, closes: bool) -> bool:
        """Write an hour's state; ``False`` when the condition was lost."""
        values: dict[str, object] = {
            "agg_gen": summary.generation,
            "agg_attempt": summary.attempt,
            "status": summary.status,
            "events": summary.events,
            "errors": summary.errors,
            "unique_users": summary.unique_users,
            "types": list(summary.types),
            "folded": summary.folded,
            "schemas": {name: asdict(use) for name, use in summary.schemas.items()},
            "aggregated_at": summary.aggregated_at,
            "run_id": summary.run_id,
        }
        condition = _newer_than("agg_attempt", "agg_gen", summary.status)
        if closes:
            condition += _still("gen", summary.generation, "read")
            condition += _still("attempt", summary.attempt, "mine")
        else:
            values["open"] = "HOUR"
        sets = ", ".join(f"#{name} = :{name}" for name in values)
        update = f"SET {sets}, #gen = if_not_exists(#gen, :zero)"
        if closes:
            update += " REMOVE #open"
            values["read"] = summary.generation
        values |= {"zero": 0, **_against(summary.attempt, summary.generation, summary.status)}
        return self._table.update(HOURS_PK, hour_sk(summary.hour), update, condition, values)

    def _widen(self, event_type: str, hour: str) -> None:
        """Raise ``last_hour``, else lower ``first_hour`` or make the row: mostly one call."""
        at = {"at": hour}
        for _ in range(_TRIES_AGAINST_RACES):
            if self._table.update(
                TYPES_PK, event_type, "SET #last_hour = :at", "#last_hour < :at", at
            ) or self._table.update(
                TYPES_PK,
                event_type,
                "SET #first_hour = :at, #last_hour = if_not_exists(#last_hour, :at)",
                "attribute_not_exists(#first_hour) OR #first_hour > :at",
                at,
            ):
                return
            span = self._table.get(TYPES_PK, event_type)
            if span and span["first_hour"] <= hour <= span["last_hour"]:
                return
        raise StoreError("the catalogue row of an event type changed under every try")

    def _range(
        self, pk: str, start: datetime, end: datetime, select: tuple[str, ...]
    ) -> Iterator[dict[str, Any]]:
        if start >= end:
            return iter(())
        bounds = {"pk": pk, "first": hour_sk(start), "last": hour_sk(end - HOUR)}
        return self._table.query(
            "#pk = :pk AND #sk BETWEEN :first AND :last", bounds, select=select
        )


def _newer_than(attempt: str, generation: str, status: ResultStatus) -> str:
    """Say that what is stored may be replaced: of an earlier attempt, or of this one.

    What is provisional does not replace what is final and saw the same generation.
    """
    condition = f"(attribute_not_exists(#{attempt}) OR #{attempt} <= :mine)"
    if status == "provisional":
        condition += (
            f" AND (attribute_not_exists(#{generation}) OR #{generation} <> :read"
            " OR #status = :provisional)"
        )
    return condition


def _still(counter: str, value: int, name: str) -> str:
    """Say that a counter is what it was; one that never counted is not there."""
    unset = f"attribute_not_exists(#{counter}) OR " if value == 0 else ""
    return f" AND ({unset}#{counter} = :{name})"


def _against(attempt: int, generation: int, status: ResultStatus) -> dict[str, object]:
    """Return the values that :func:`_newer_than` compares with."""
    if status == "final":
        return {"mine": attempt}
    return {"mine": attempt, "read": generation, "provisional": status}


def _hour_of(item: Mapping[str, Any]) -> datetime:
    return parse_iso_hour(item["sk"].removeprefix("HOUR#"))


def _progress(item: Mapping[str, Any]) -> HourProgress:
    return HourProgress(
        hour=_hour_of(item),
        generation=item.get("gen", 0),
        aggregated_generation=item.get("agg_gen"),
        status=item.get("status"),
        is_open="open" in item,
        attempt=item.get("attempt", 0),
    )


def _past_hour(item: Mapping[str, Any]) -> PastHour:
    fields = {name: item[name] for name in _BASELINE_FIELDS if name in item}
    is_final = item["status"] == "final" and not item.get("is_folded", False)
    return PastHour(_hour_of(item), is_final=is_final, **fields)


def _span(item: Mapping[str, Any]) -> TypeSpan:
    first, last = (parse_iso_hour(item[name]) for name in ("first_hour", "last_hour"))
    return TypeSpan(item["sk"], first, last)
