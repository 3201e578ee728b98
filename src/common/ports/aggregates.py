"""Hourly results and the state of each hour, as the hourly ETL reads and writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from common.domain.anomaly import PastHour
from common.models import AggregationResult, ResultStatus


@dataclass(frozen=True, slots=True)
class HourProgress:
    """How far the results of one hour have come; all zeros for an hour nothing is stored of."""

    hour: datetime
    generation: int = 0
    """Raised by process after it has put rows of the hour into the lake."""
    aggregated_generation: int | None = None
    """The generation that the results have seen; ``None`` before the first aggregation."""
    status: ResultStatus | None = None
    is_open: bool = False
    attempt: int = 0
    """How many aggregations of the hour were begun; the newest has this number."""

    @property
    def is_dirty(self) -> bool:
        """Whether rows came that the results may not have seen."""
        return self.generation != self.aggregated_generation

    @property
    def is_late(self) -> bool:
        """Whether rows came although the hour's results were final."""
        return self.status == "final" and self.is_dirty


@dataclass(frozen=True, slots=True)
class SchemaUse:
    """What became of a type's events in an hour under its schema."""

    version: int
    """The newest version that any of them was held against."""
    violations: int
    """Those that break the schema."""


@dataclass(frozen=True, slots=True)
class HourSummary:
    """What one aggregation of an hour found, all types together."""

    hour: datetime
    generation: int
    """The generation that was read before the hour's rows were listed."""
    status: ResultStatus
    events: int
    errors: int
    unique_users: int
    types: tuple[str, ...]
    """Types with events in the hour, sorted."""
    aggregated_at: datetime
    run_id: str
    attempt: int = 0
    """The number that the hour gave when the aggregation began; a later one replaces this."""
    folded: int = 0
    """Types with events that have no result of their own, being added up as ``_other``."""
    schemas: Mapping[str, SchemaUse] = field(default_factory=dict)
    """Types whose events were held against a schema."""


@dataclass(frozen=True, slots=True)
class TypeSpan:
    """An event type, and the first and the last hour it occurred in."""

    event_type: str
    first_hour: datetime
    last_hour: datetime


class AggregateStore(Protocol):
    """Every read is consistent, except of what is found through the index of open hours.

    What is written replaces only what an earlier attempt wrote, or the same one. Two attempts may
    see the same rows and still judge them by different pasts, so the generation can't order them.
    What is final is not replaced by what is provisional and saw the same generation.

    Every method raises ``ThrottledError`` or ``StoreError`` when the store does not answer.
    """

    def hour(self, hour: datetime) -> HourProgress:
        """Return the state of one hour."""
        ...

    def begin(self, hour: datetime) -> HourProgress:
        """Open an hour for one more aggregation, and return its state with that one's number.

        Number and state are of one instant: a later attempt sees no earlier generation.
        """
        ...

    def open_hours(self, before: datetime) -> list[HourProgress]:
        """Return the open hours that start before an instant, oldest first.

        The index may lag behind: an hour that is missed now is found by the next run, and one
        that is listed although it was closed is aggregated once more for nothing.
        """
        ...

    def final_hours(self, start: datetime, end: datetime) -> set[datetime]:
        """Return the hours of ``[start, end)`` that are final and have every type by its name.

        Those in which types were folded are left out: a type that has no result there may have
        occurred.
        """
        ...

    def result(self, event_type: str, hour: datetime) -> AggregationResult | None:
        """Return the result of one type in one hour."""
        ...

    def history(
        self, event_types: Sequence[str], start: datetime, end: datetime
    ) -> dict[str, dict[datetime, PastHour]]:
        """Return what is stored of some types in ``[start, end)``, by type and hour."""
        ...

    def known_types(self) -> dict[str, TypeSpan]:
        """Return the catalogue of event types."""
        ...

    def widen_types(self, event_types: Sequence[str], hour: datetime) -> None:
        """Put an hour inside the span of each type, making the catalogue's row where needed."""
        ...

    def put_results(self, results: Sequence[AggregationResult]) -> None:
        """Write results, each over an older one only.

        Of a type that was folded there are no figures afterwards, only the mark that says so.

        Raises
        ------
        ConditionLostError
            A newer one is there; some of the others may have been written.
        """
        ...

    def finish_hour(self, summary: HourSummary) -> None:
        """Write the hour's state, over an older one only.

        The hour is closed if it is final, no rows came since its generation was read, and no
        other attempt has begun since; otherwise it stays open, or is opened.

        Raises
        ------
        ConditionLostError
            A newer one is there.
        """
        ...

    def reopen_hour(self, hour: datetime) -> None:
        """Have the next run aggregate an hour again, whatever its state."""
        ...
