"""The hourly ETL: which hours to do, and doing them.

Every step may be repeated, and may die anywhere: a later run finds what is left to do by the
marks that are still there (an open hour, a pending alert), and not by anyone's memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aggregate.baselines import Baselines
from aggregate.deps import Deps
from aggregate.finality import is_final, read_watermark
from aggregate.hour import HourOutcome, Run, aggregate_hour
from aggregate.requests import read_range, read_scheduled_hour
from common.domain.windows import HOUR
from common.ports.aggregates import HourProgress


@dataclass(frozen=True, slots=True)
class Plan:
    """The hours of one run."""

    hours: tuple[datetime, ...]
    """Oldest first: the hours before an hour are its baseline."""
    left: int
    """Open hours that did not fit this run; a later one takes them."""
    pending_alerts: int


def determine(request: Mapping[str, Any], deps: Deps) -> Plan:
    """Find the hours to aggregate: those of a given range, or the scheduled one and what is open.

    The scheduled hour is always among them. Of the open hours those are left out that would come
    to the same: nothing came since they were aggregated, and they can't be final yet.

    Raises
    ------
    InvalidRequestError
        See :func:`aggregate.requests.read_range`.
    """
    pending = deps.alerts.count_pending
    hours = read_range(request, deps.now())
    if hours is not None:
        return Plan(tuple(hours), 0, pending())
    scheduled = read_scheduled_hour(request)
    watermark = read_watermark(deps.lag, deps.now())
    backlog = [
        progress.hour
        for progress in deps.store.open_hours(before=scheduled + HOUR)
        if progress.hour != scheduled and _is_worth_it(progress, watermark, deps)
    ]
    room = deps.rules.max_hours - 1
    chosen = sorted({*backlog[:room], scheduled})
    return Plan(tuple(chosen), len(backlog[room:]), pending())


def aggregate(hours: Sequence[datetime], run_id: str, deps: Deps) -> Iterator[HourOutcome]:
    """Aggregate hours one after the other; each is written when it is yielded.

    Parameters
    ----------
    hours
        Oldest first, not empty.
    run_id
        Kept with each hour, to tell which run computed it.
    """
    run = Run(
        run_id=run_id,
        watermark=read_watermark(deps.lag, deps.now()),
        baselines=Baselines(deps.store, deps.rules.baseline, hours),
    )
    for hour in hours:
        yield aggregate_hour(hour, run, deps)


def _is_worth_it(progress: HourProgress, watermark: datetime | None, deps: Deps) -> bool:
    waits = progress.status == "provisional" and not progress.is_dirty
    return not waits or is_final(progress.hour, watermark, deps.rules.grace)
