"""``eventstream etl``: run the hourly ETL by hand, and see what it did."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from common.domain.windows import HOUR, hour_of, iso_hour, rfc3339
from common.models import parse_instant
from eventstream.etl.runs import Etl, Execution, Range, range_input, read_hour, split_range
from eventstream.output import (
    JsonOption,
    UsageProblemError,
    note,
    print_json,
    print_table,
    print_text,
)
from eventstream.progress import progress
from eventstream.reading.series import minute
from eventstream.target import ProfileOption, RegionOption, StackNameOption, StateOption, resolve

HOURS_SHOWN = 20

etl_app = typer.Typer(no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(etl_app, name="etl")


@etl_app.callback()
def etl() -> None:
    """Run the hourly ETL, or see what it did.

    Example: eventstream etl run --from 2026-11-16T09 --to 2026-11-20T09
    """


@etl_app.command("run")
def run(
    *,
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="HOUR", help="First hour, such as 2026-11-20T09."),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="HOUR", help="End, exclusive.", show_default="the next hour"),
    ] = None,
    hour: Annotated[str | None, typer.Option("--hour", metavar="HOUR", help="One hour.")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end.")] = True,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="Longest wait.", min=1)
    ] = 3600.0,
    by: Annotated[str, typer.Option("--by", metavar="type|hour", help="Rows to show.")] = "type",
    as_json: JsonOption = False,
    state: StateOption = None,
    stack_name: StackNameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """Run the hourly ETL over some hours, or over all that are due.

    Without a range it does what the schedule does: the last closed hour and every hour that
    changed since its results were made.

    Example: eventstream etl run --hour 2026-11-20T09
    """
    if by not in ("type", "hour"):
        raise UsageProblemError("--by must be `type` or `hour`")
    parts = _parts(first, end, hour)
    if not wait and len(parts) > 1:
        raise UsageProblemError(
            f"this range takes {len(parts)} executions one after another: leave out --no-wait"
        )
    machine = Etl(resolve(state, stack_name, region, profile))
    executions = []
    for part in parts:
        execution = machine.start(_input(part))
        note(f"started {execution.name}")
        executions.append(_finish(machine, execution, part, timeout) if wait else execution)
    _show(machine, executions, parts, by=by, as_json=as_json)


def _parts(first: str | None, end: str | None, hour: str | None) -> list[Range | None]:
    """Return the ranges to run, each as long as one execution takes; ``None`` is what is due."""
    if hour is not None:
        if first or end:
            raise UsageProblemError("--hour goes without --from and --to")
        start = read_hour(hour, "--hour")
        return [(start, start + HOUR)]
    if first is None:
        if end is not None:
            raise UsageProblemError("--to needs --from")
        return [None]
    last = read_hour(end, "--to") if end else hour_of(datetime.now(UTC)) + HOUR
    return list(split_range(read_hour(first, "--from"), last))


def _input(part: Range | None) -> dict[str, Any]:
    return range_input(*part) if part else {"scheduled_time": rfc3339(datetime.now(UTC))}


def _finish(machine: Etl, execution: Execution, part: Range | None, timeout: float) -> Execution:
    """Wait for an execution and show how many of its hours are done."""
    try:
        if part is None:
            return machine.wait(execution, timeout, lambda: None)
        with progress("hours", (part[1] - part[0]) // HOUR) as shown:
            counter = machine.hour_counter(execution, part, shown.advance)
            return machine.wait(execution, timeout, counter)
    except KeyboardInterrupt:
        note(f"{execution.name} goes on without you: `eventstream etl status` shows it")
        raise


def _show(
    machine: Etl,
    executions: list[Execution],
    parts: list[Range | None],
    *,
    by: str,
    as_json: bool,
) -> None:
    shown = [_as_dict(execution) for execution in executions]
    if any(execution.is_running for execution in executions):
        if as_json:
            print_json({"executions": shown})
        else:
            print_text(shown[0]["name"])
        return
    start, end = _span(executions, parts)
    totals = machine.results.type_totals(start, end)
    hours = machine.results.hours(start, end)
    if as_json:
        print_json({"executions": shown, "types": totals, "hours": hours})
        return
    # What is due need not be every hour of the span that a scheduled run tells.
    hours_due = (executions[0].output or {}).get("hours", "the")
    which = "the hours" if parts[0] else f"{hours_due} {'hour' if hours_due == 1 else 'hours'}"
    note(f"did {which} from {iso_hour(start)} to {iso_hour(end)} (exclusive)")
    if not totals:
        note("there were no events in these hours: `eventstream types` shows since when there are")
    elif by == "type":
        names = ["event_type", "hours", "count", "errors", "anomalies", "final"]
        print_table(_headings(names), [[row[name] for name in names] for row in totals])
    else:
        names = ["hour", "events", "errors", "unique_users", "status"]
        print_table(_headings(names), [[row[name] for name in names] for row in hours])


def _headings(names: list[str]) -> list[str]:
    return [name.replace("_", " ") for name in names]


def _span(executions: list[Execution], parts: list[Range | None]) -> Range:
    """Return the hours that were done; of a scheduled run the execution itself tells them."""
    first, last = parts[0], parts[-1]
    if first and last:
        return first[0], last[1]
    output = executions[0].output or {}
    return parse_instant(output.get("window_start")), parse_instant(output.get("window_end"))


def _as_dict(execution: Execution) -> dict[str, Any]:
    stopped = execution.stopped_at
    return {
        "name": execution.name,
        "status": execution.status,
        "started_at": rfc3339(execution.started_at),
        "stopped_at": rfc3339(stopped) if stopped else None,
        "seconds": round((stopped - execution.started_at).total_seconds(), 1) if stopped else None,
    }


@etl_app.command("status")
def status(
    *,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", help="Executions.", min=1, max=100)
    ] = 10,
    as_json: JsonOption = False,
    state: StateOption = None,
    stack_name: StackNameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """Show the latest executions and the hours that wait for one.

    Example: eventstream etl status --limit 5
    """
    machine = Etl(resolve(state, stack_name, region, profile))
    executions = [_as_dict(execution) for execution in machine.recent(limit)]
    waiting = [
        {
            "hour": iso_hour(each.hour),
            "status": each.status or "not aggregated",
            "generation": each.generation,
            "aggregated_generation": each.aggregated_generation,
        }
        for each in machine.results.open_hours()
    ]
    if as_json:
        print_json({"executions": executions, "open_hours": waiting})
        return
    _show_status(executions, waiting)


def _show_status(executions: list[dict[str, Any]], waiting: list[dict[str, Any]]) -> None:
    if executions:
        rows = [
            (row["name"], row["status"], minute(row["started_at"]), _took(row["seconds"]))
            for row in executions
        ]
        print_table(("execution", "status", "started (UTC)", "took"), rows)
    else:
        note("no execution yet: `eventstream etl run` starts one")
    if not waiting:
        print_text("no hour waits for an execution")
        return
    names = ["hour", "status", "generation", "aggregated_generation"]
    shown = [[row[name] for name in names] for row in waiting[:HOURS_SHOWN]]
    print_table(
        ("hour (UTC)", "status", "changes", "counted"), shown, title=f"Open hours: {len(waiting)}"
    )
    note("`eventstream etl run` counts them now, the schedule every hour")
    if len(waiting) > HOURS_SHOWN:
        note(f"the oldest {HOURS_SHOWN} are shown; --json has all")


def _took(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:,.0f} s" if seconds >= 100 else f"{seconds:.1f} s"
