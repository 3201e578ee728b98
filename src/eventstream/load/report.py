"""The account of a load: what became of every row and every event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic_core import PydanticCustomError

from common.domain.windows import HOUR, hour_of, iso_hour
from common.models import parse_instant
from eventstream.load.delivery import Outcome
from eventstream.load.rules import RowError
from eventstream.output import spell_field

REASONS_SHOWN = 20


@dataclass(slots=True)
class Batch:
    """Rows that are sent together."""

    first: int
    last: int
    rows: list[int] = field(default_factory=list)
    """The row of each event."""
    events: list[dict[str, Any]] = field(default_factory=list)
    bad_rows: list[tuple[int, RowError]] = field(default_factory=list)
    """Rows that are no events, and why."""


@dataclass(slots=True)
class Reason:
    """Why events were rejected, or rows were no events."""

    count: int
    first_row: int


@dataclass(frozen=True, slots=True)
class Older:
    """Events that are older than the hot windows, and their hours; the end is not among them."""

    events: int
    first_hour: str
    end_hour: str


@dataclass
class LoadReport:
    """What one run of a load did; ``accepted + rejected + given_up == sent``."""

    rows: int = 0
    bad_rows: int = 0
    sent: int = 0
    accepted: int = 0
    rejected: int = 0
    given_up: int = 0
    """Not answered for in time; the API may have taken some, a repeat is dropped by the lake."""
    resent: int = 0
    requests: int = 0
    seconds: float = 0.0
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    types: Counter[str] = field(default_factory=Counter)
    """Accepted events of each type."""
    hours: Counter[datetime] = field(default_factory=Counter)
    """Accepted events of each hour of event time."""
    reasons: dict[str, Reason] = field(default_factory=dict)
    problem: str = ""
    """Why the load stopped early."""
    interrupted: bool = False

    @property
    def complete(self) -> bool:
        """Whether every row was sent and answered for."""
        return not (self.given_up or self.problem or self.interrupted)

    @property
    def clean(self) -> bool:
        """Whether every row became an accepted event."""
        return self.complete and not (self.rejected or self.bad_rows)

    @property
    def refused_whole(self) -> bool:
        """Whether every event that was sent was refused: a repeat would fare alike."""
        return self.rejected > 0 and self.rejected == self.sent

    def older(self, now: datetime) -> Older | None:
        """Return the accepted events that only the hourly ETL counts, if there are any."""
        # The same rule by which the stream's reader leaves events out of the hot windows.
        oldest_hot = hour_of(now) - HOUR
        hours = [hour for hour in self.hours if hour < oldest_hot]
        if not hours:
            return None
        count = sum(self.hours[hour] for hour in hours)
        return Older(count, iso_hour(min(hours)), iso_hour(max(hours) + HOUR))

    def count(self, batch: Batch, outcome: Outcome) -> None:
        """Count a batch and what became of it."""
        self.rows += batch.last - batch.first + 1
        self.bad_rows += len(batch.bad_rows)
        self.sent += outcome.sent
        self.accepted += outcome.accepted
        self.rejected += outcome.rejected
        self.given_up += outcome.given_up
        self.resent += outcome.resent
        self.requests += outcome.requests
        for row, error in batch.bad_rows:
            self._blame(str(error), row)
        for rejection in outcome.rejections:
            self._blame(spell_errors(rejection.errors), batch.rows[rejection.position])
        lost = {rejection.position for rejection in outcome.rejections}.union(outcome.unanswered)
        for position, event in enumerate(batch.events):
            if position not in lost:
                self._count_accepted(event)

    def _count_accepted(self, event: Mapping[str, Any]) -> None:
        self.types[str(event.get("event_type") or event.get("type") or event.get("action"))] += 1
        at = event.get("timestamp")
        try:
            self.hours[hour_of(parse_instant(at))] += 1
        except PydanticCustomError:
            return  # Without a time it has the time of its arrival.
        if isinstance(at, str):
            self.first_timestamp = min(self.first_timestamp or at, at)
            self.last_timestamp = max(self.last_timestamp or at, at)

    def _blame(self, why: str, row: int) -> None:
        known = self.reasons.get(why)
        if known is None:
            self.reasons[why] = Reason(1, row)
        else:
            known.count += 1
            known.first_row = min(known.first_row, row)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON shape."""
        reasons = sorted(self.reasons.items(), key=lambda item: -item[1].count)[:REASONS_SHOWN]
        return {
            "rows": self.rows,
            "bad_rows": self.bad_rows,
            "sent": self.sent,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "given_up": self.given_up,
            "resent": self.resent,
            "requests": self.requests,
            "seconds": round(self.seconds, 3),
            "events_per_second": round(self.sent / self.seconds, 1) if self.seconds else 0.0,
            "first_timestamp": self.first_timestamp,
            "last_timestamp": self.last_timestamp,
            "types": dict(sorted(self.types.items())),
            "reasons": [
                {"reason": why, "count": reason.count, "first_row": reason.first_row}
                for why, reason in reasons
            ],
            "complete": self.complete,
            "problem": self.problem,
        }


def spell_errors(errors: Iterable[Mapping[str, str]]) -> str:
    """Spell the field errors of one event on one line."""
    return "; ".join(spell_field(each) for each in errors)
