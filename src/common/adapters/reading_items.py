"""DynamoDB's items as what readers ask for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from common.adapters.items import from_item
from common.domain.hot import TypeCount
from common.domain.windows import parse_iso_hour
from common.models import AggregationResult, AnomalyAlert
from common.ports.aggregates import HourProgress, SchemaUse, TypeSpan
from common.ports.readings import AlertRow, HotSlice, RunRow

Item = Mapping[str, Any]
"""One item as the low-level client has it, e.g. ``{"sk": {"S": "HOUR#2026-11-20T09"}}``."""

_LONGEST_CAUSE = 500


def is_alive(item: Item, now_s: int) -> bool:
    """Say whether an item has not outlived its ``ttl``, if it has one."""
    return "ttl" not in item or int(item["ttl"]["N"]) > now_s


def hot_slice(item: Item, hour: datetime) -> HotSlice:
    """Read one shard's part of a five-minute window."""
    minute = int(item["sk"]["S"].partition("#")[0])
    # A projected path that is not there leaves its parent out too.
    types = item.get("types", {"M": {}})["M"]
    return HotSlice(
        hour.replace(minute=minute), {name: _type_count(of["M"]) for name, of in types.items()}
    )


def _type_count(of: Mapping[str, Any]) -> TypeCount:
    latency = of.get("latency")
    return TypeCount(
        int(of["count"]["N"]), int(of["errors"]["N"]), bytes(latency["B"]) if latency else None
    )


def hour_progress(item: Item) -> HourProgress:
    """Read how far an hour has come."""
    row = from_item(item)
    return HourProgress(
        hour=_hour(row["sk"]),
        generation=row.get("gen", 0),
        aggregated_generation=row.get("agg_gen"),
        status=row.get("status"),
        is_open="open" in row,
    )


def type_hour(item: Item) -> AggregationResult:
    """Read one type's result in one hour."""
    row = from_item(item)
    return AggregationResult.model_validate({"event_type": row["pk"].partition("#")[2], **row})


def is_folded(item: Item) -> bool:
    """Say whether a type's item only marks that its events are in ``_other``."""
    return "is_folded" in item and bool(item["is_folded"]["BOOL"])


def type_span(item: Item) -> TypeSpan:
    """Read one type of the catalogue."""
    row = from_item(item)
    return TypeSpan(row["sk"], parse_iso_hour(row["first_hour"]), parse_iso_hour(row["last_hour"]))


def schemas(item: Item) -> dict[str, SchemaUse]:
    """Read the types of an hour that were held against a schema."""
    row = from_item(item)
    return {name: SchemaUse(**use) for name, use in row.get("schemas", {}).items()}


def hour_of_item(item: Item) -> datetime:
    """Read the hour that an item is of."""
    return _hour(item["sk"]["S"])


def alert(item: Item) -> AlertRow:
    """Read one alert."""
    row = from_item(item)
    return AlertRow(
        key=row["sk"],
        alert=AnomalyAlert.model_validate(row),
        state=row["state"],
        sent_at=row.get("sent_at"),
        resolved_at=row.get("resolved_at"),
    )


def run(item: Item) -> RunRow:
    """Read one run, as the state machine recorded it."""
    row = from_item(item)
    results = _json(row.get("results"), [])
    return RunRow(
        key=row["sk"],
        run_id=row["run_id"],
        status=row["status"],
        started_at=row["started_at"],
        finished_at=row.get("finished_at"),
        window_start=row.get("window_start"),
        window_end=row.get("window_end"),
        hours=row.get("hours"),
        events=_total(row, results, "events"),
        anomalies=_total(row, results, "anomalies"),
        error=row.get("error"),
        cause=_cause(row.get("cause")),
    )


def _total(row: Mapping[str, Any], results: Any, name: str) -> int | None:  # noqa: ANN401 - any JSON
    """Return a run's own total, else the sum over the hours it lists."""
    if name in row:
        return int(row[name])
    if not isinstance(results, list) or not results:
        return None
    return sum(int(hour.get(name, 0)) for hour in results if isinstance(hour, dict))


def _cause(text: str | None) -> str | None:
    """Return a failure's message without the stack trace that Step Functions packs beside it."""
    if text is None:
        return None
    cause = _json(text, {})
    message = cause.get("errorMessage") if isinstance(cause, dict) else None
    return str(message or ("see the execution's history" if cause else text))[:_LONGEST_CAUSE]


def _json(text: str | None, default: Any) -> Any:  # noqa: ANN401 - any JSON
    if text is None:
        return default
    try:
        return json.loads(text)
    except ValueError:
        return default


def _hour(sort_key: str) -> datetime:
    return parse_iso_hour(sort_key.partition("#")[2])
