"""What the query function asks of the stores; oldest first unless said otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from common.domain.hot import TypeCount
from common.models import AggregationResult, AnomalyAlert
from common.ports.aggregates import HourProgress, SchemaUse, TypeSpan


@dataclass(frozen=True, slots=True)
class HotSlice:
    """One shard's part of a five-minute window; those of one start add up."""

    start: datetime
    types: Mapping[str, TypeCount]


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert and what became of it."""

    key: str
    """Where it is stored: orders alerts by hour, and continues a listing."""
    alert: AnomalyAlert
    state: str
    """``PENDING``, ``SENT``, or ``RESOLVED`` when it was taken back before it was sent."""
    sent_at: str | None = None
    resolved_at: str | None = None
    """When later events of its hour showed that there is no anomaly."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of the hourly ETL."""

    key: str
    """Where it is stored: orders runs by their start, and continues a listing."""
    run_id: str
    status: str
    started_at: str
    finished_at: str | None = None
    window_start: str | None = None
    window_end: str | None = None
    hours: int | None = None
    events: int | None = None
    anomalies: int | None = None
    error: str | None = None
    cause: str | None = None


class Readings(Protocol):
    """The stores, as readers see them: what is past its ``ttl`` is not there.

    Every method raises ``ThrottledError`` or ``StoreError`` when the store does not answer.
    """

    def hours(self, start: datetime, end: datetime, limit: int) -> list[HourProgress]:
        """Return at most ``limit`` hours of ``[start, end)`` that any event was stored for."""
        ...

    def type_hours(
        self, event_type: str, start: datetime, end: datetime
    ) -> dict[datetime, AggregationResult]:
        """Return a type's hourly results in ``[start, end)`` by hour."""
        ...

    def hot_slices(
        self, hours: Sequence[datetime], event_type: str | None = None
    ) -> list[HotSlice]:
        """Return the hot windows of some hours, with the counts of one type or (``None``) all."""
        ...

    def event_types(self, after: str, limit: int) -> list[TypeSpan]:
        """Return at most ``limit`` types of the catalogue whose names sort behind ``after``."""
        ...

    def schemas(self, start: datetime, end: datetime) -> dict[datetime, Mapping[str, SchemaUse]]:
        """Return, by hour of ``[start, end)``, the types that were held against a schema."""
        ...

    def alerts(
        self,
        start: datetime,
        end: datetime,
        limit: int,
        *,
        event_type: str | None = None,
        before: str | None = None,
    ) -> list[AlertRow]:
        """Return at most ``limit`` alerts of hours in ``[start, end)``, newest hour first.

        With ``before``, only what sorts behind that key in this order.
        """
        ...

    def runs(self, limit: int, *, before: str | None = None) -> list[RunRow]:
        """Return at most ``limit`` runs, newest first; with ``before``, only older ones."""
        ...

    def check(self) -> dict[str, bool]:
        """Try to read each store once and tell, by the store's name, whether it answered."""
        ...
