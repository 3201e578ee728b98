"""One run of a load from start to end: find out what is left, send it, keep the account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any

from common.models import IngestEvent
from eventstream.load.client import Patience, Poster
from eventstream.load.delivery import Outcome
from eventstream.load.loader import Loader, Pace, make_batches
from eventstream.load.progress import Done, ProgressFile, progress_key
from eventstream.load.report import Batch, LoadReport
from eventstream.load.rules import RowError
from eventstream.load.source import EventFile, Generated, MappedFile, NumberedEvent
from eventstream.output import UsageProblemError
from eventstream.progress import progress
from ingest.validation import validate

AnySource = MappedFile | EventFile | Generated

SAMPLE_SIZE = 5


@dataclass(frozen=True)
class Job:
    """What to load, and where to.

    Attributes
    ----------
    pipeline
        Text that is the same as long as it is the same pipeline with the same data.
    loads
        Folder of the progress files.
    limit
        Only the first rows.
    shift_to_now
        Move all times by whole hours so that the last event lies in the hour before ``now``.
    restart
        Send everything again, whatever was sent before.
    """

    source: AnySource
    api: Poster
    pipeline: str
    loads: Path
    now: datetime
    pace: Pace = field(default_factory=Pace)
    patience: Patience = field(default_factory=Patience)
    limit: int | None = None
    shift_to_now: bool = False
    restart: bool = False


def run_job(job: Job) -> tuple[LoadReport, Done]:
    """Load what is left of a job.

    Returns
    -------
    tuple of LoadReport and Done
        What this run did, and what earlier ones had done before.

    Raises
    ------
    LoadRunningError
        Another process is at it.
    UsageProblemError
        The source can't be read.
    """
    key = progress_key(job.pipeline, job.source.identity, f"shifted={job.shift_to_now}")
    with ProgressFile(job.loads / f"{key}.jsonl") as file:
        if job.restart:
            file.restart()
        done = file.read()
        shift = _shift(job, done)
        file.open(job.source.name, shift)
        total = min(job.source.count(), job.limit or 2**63) - done.rows
        with progress("loading", max(total, 0)) as shown:

            def on_answer(batch: Batch, outcome: Outcome) -> None:
                shown.advance(batch.last - batch.first + 1)
                if _is_settled(batch, outcome):
                    accepted, rejected = outcome.accepted, outcome.rejected
                    file.record(batch.first, batch.last, accepted=accepted, rejected=rejected)

            loader = Loader(job.api, job.pace, job.patience, on_answer)
            batches = make_batches(numbered_events(job.source, job.limit), done, job.pace.batch)
            return loader.run(batches), done


def _is_settled(batch: Batch, outcome: Outcome) -> bool:
    """Say whether a later run may leave a batch out.

    One that was refused whole is sent again: the reason is often a setting that can be mended.
    """
    return not outcome.given_up and (outcome.accepted > 0 or not batch.events)


def _shift(job: Job, done: Done) -> timedelta | None:
    """Decide by how much times move, once per load: a resumed one goes on with the same."""
    if not job.shift_to_now or isinstance(job.source, Generated):
        return None
    shift = done.shift if done.shift is not None else shift_to_now(job.source, job.now)
    job.source.shift = shift
    return shift


def shift_to_now(source: MappedFile | EventFile, now: datetime) -> timedelta:
    """Return the whole hours by which the last event of a file comes to lie just before ``now``.

    Raises
    ------
    UsageProblemError
        No row has a time.
    """
    last = source.last_time()
    if last is None:
        raise UsageProblemError(f"{source.name} has no row with a time, so --shift-to-now can't be")
    return timedelta(hours=(now - last) // timedelta(hours=1))


def numbered_events(source: AnySource, limit: int | None) -> Iterator[NumberedEvent]:
    """Yield a source's events up to a row number."""
    events = source.events()
    return events if limit is None else takewhile(lambda item: item[0] <= limit, events)


@dataclass
class Preview:
    """What a load would send."""

    rows: int = 0
    types: Counter[str] = field(default_factory=Counter)
    sample: list[dict[str, Any]] = field(default_factory=list)
    bad_rows: Counter[str] = field(default_factory=Counter)
    first_bad_row: int | None = None
    refused: int = 0
    """Events that the API would refuse."""
    refusals: list[dict[str, Any]] = field(default_factory=list)
    """The first of their errors."""

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON shape."""
        return {
            "rows": self.rows,
            "events": sum(self.types.values()),
            "bad_rows": sum(self.bad_rows.values()),
            "first_bad_row": self.first_bad_row,
            "reasons": dict(self.bad_rows.most_common(20)),
            "refused": self.refused,
            "refusals": self.refusals,
            "types": dict(sorted(self.types.items())),
            "sample": self.sample,
        }


def preview(
    source: AnySource, *, now: datetime, shifted: bool = False, limit: int | None = None
) -> Preview:
    """Map every row and hold its event against the API's rules, without sending any."""
    if shifted and not isinstance(source, Generated):
        source.shift = shift_to_now(source, now)
    seen = Preview()
    for number, event in numbered_events(source, limit):
        seen.rows += 1
        if isinstance(event, RowError):
            seen.bad_rows[str(event)] += 1
            seen.first_bad_row = seen.first_bad_row or number
            continue
        seen.types[str(event.get("event_type") or event.get("type"))] += 1
        _check(seen, number, event)
        if len(seen.sample) < SAMPLE_SIZE:
            seen.sample.append(event)
    return seen


def _check(seen: Preview, number: int, event: dict[str, Any]) -> None:
    """Note what the API would refuse an event for."""
    checked = validate(event)
    if isinstance(checked, IngestEvent):
        return
    seen.refused += 1
    for error in checked[: SAMPLE_SIZE - len(seen.refusals)]:
        told = {"field": error.field, "rule": error.rule, "message": error.message}
        seen.refusals.append({"row": number, **told})
