"""Running the hourly ETL by hand."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import PydanticCustomError

from aggregate.requests import MAX_RANGE_HOURS
from common.domain.windows import hour_of, parse_iso_hour, rfc3339
from common.models import parse_instant
from eventstream.etl.results import EtlResults
from eventstream.output import CommandError, UsageProblemError
from eventstream.target import Target

Json = dict[str, Any]
Range = tuple[datetime, datetime]
"""Whole hours, the end not among them."""
LOCAL_POLL_S, AWS_POLL_S = 0.5, 2.0
"""How often an execution is asked for; AWS limits such calls, this machine doesn't."""
_RUNNING = ("RUNNING", "PENDING_REDRIVE")


class EtlFailedError(CommandError):
    """An execution of the state machine did not succeed."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution of the state machine."""

    arn: str
    status: str
    started_at: datetime
    stopped_at: datetime | None = None
    output: Mapping[str, Any] | None = None
    error: str = ""
    cause: str = ""

    @property
    def name(self) -> str:
        return self.arn.rpartition(":")[2]

    @property
    def is_running(self) -> bool:
        return self.status in _RUNNING


def read_hour(text: str, option: str) -> datetime:
    """Read a whole hour as a person may write it: ``2026-11-20T09`` or RFC 3339.

    Raises
    ------
    UsageProblemError
        It is neither, or no whole hour.
    """
    try:
        return parse_iso_hour(text)
    except ValueError:
        pass
    try:
        instant = parse_instant(text)
    except PydanticCustomError:
        instant = None
    if instant is None or instant != hour_of(instant):
        raise UsageProblemError(
            f"{option} must be a whole hour, such as 2026-11-20T09 or 2026-11-20T09:00:00Z"
        )
    return instant


def split_range(start: datetime, end: datetime, most: int = MAX_RANGE_HOURS) -> list[Range]:
    """Cut a range of whole hours into parts that one execution takes, oldest first.

    Raises
    ------
    UsageProblemError
        The range is empty.
    """
    if start >= end:
        raise UsageProblemError(f"the range ends ({rfc3339(end)}) before it begins")
    step, parts = timedelta(hours=most), []
    while start < end:
        parts.append((start, min(start + step, end)))
        start += step
    return parts


class Etl:
    """The state machine, and what it wrote.

    Parameters
    ----------
    target
        The pipeline.
    poll_s
        How often a running execution is asked for.
    now, sleep
        The clock, in seconds.
    """

    def __init__(
        self,
        target: Target,
        *,
        poll_s: float | None = None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._machine = target.resource("EtlStateMachine")
        self._states = target.client("stepfunctions")
        self.results = EtlResults(target)
        self._poll_s = poll_s or (LOCAL_POLL_S if target.is_local else AWS_POLL_S)
        self._now, self._sleep = now, sleep

    def start(self, document: Mapping[str, Any]) -> Execution:
        """Start an execution with an input."""
        name = f"cli-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
        started = self._states.start_execution(
            stateMachineArn=self._machine, name=name, input=json.dumps(document)
        )
        return Execution(started["executionArn"], "RUNNING", started["startDate"])

    def wait(
        self, execution: Execution, timeout_s: float, on_poll: Callable[[], None]
    ) -> Execution:
        """Wait until an execution has succeeded.

        Raises
        ------
        EtlFailedError
            It failed, with the error and the cause; or it is still running.
        """
        deadline = self._now() + timeout_s
        while True:
            found = self.describe(execution.arn)
            on_poll()
            if found.status == "SUCCEEDED":
                return found
            if not found.is_running:
                raise EtlFailedError(self._why(found))
            if self._now() > deadline:
                raise EtlFailedError(
                    f"the execution {found.name} still runs after {timeout_s:.0f} s; "
                    "`eventstream etl status` shows what becomes of it"
                )
            self._sleep(self._poll_s)

    def describe(self, arn: str) -> Execution:
        """Return an execution as it is now."""
        found = self._states.describe_execution(executionArn=arn)
        return Execution(
            arn,
            found["status"],
            found["startDate"],
            found.get("stopDate"),
            json.loads(found["output"]) if found.get("output") else None,
            found.get("error", ""),
            found.get("cause", ""),
        )

    def _why(self, execution: Execution) -> str:
        """Say why an execution failed; the run item has the reason that the machine caught."""
        error, cause = execution.error, execution.cause
        for run in self.results.readings.runs(limit=20):
            if run.run_id == execution.name and run.status == "FAILED":
                error, cause = run.error or error, run.cause or cause
        return (
            f"the execution {execution.name} is {execution.status}: "
            f"{error or 'no error named'}: {cause or 'no cause given'}"
        )

    def recent(self, limit: int) -> list[Execution]:
        """Return the newest executions, newest first."""
        found = self._states.list_executions(stateMachineArn=self._machine, maxResults=limit)
        rows = [
            Execution(row["executionArn"], row["status"], row["startDate"], row.get("stopDate"))
            for row in found["executions"]
        ]
        return sorted(rows, key=lambda row: row.started_at, reverse=True)[:limit]

    def hour_counter(
        self, execution: Execution, span: Range, advance: Callable[[int], None]
    ) -> Callable[[], None]:
        """Return a function that tells how many more hours an execution has written."""
        seen = 0

        def count() -> None:
            nonlocal seen
            times = [
                row["aggregated_at"] for row in self.results.hours(*span) if row["aggregated_at"]
            ]
            done = sum(1 for at in times if parse_instant(at) >= execution.started_at)
            if done > seen:
                advance(done - seen)
                seen = done

        return count


def range_input(start: datetime, end: datetime) -> Json:
    """Return the state machine's input for a range."""
    return {"window_start": rfc3339(start), "window_end": rfc3339(end)}
