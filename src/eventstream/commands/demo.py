"""``eventstream demo``: the whole pipeline on generated traffic, every number checked."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from common.domain.windows import hour_of, rfc3339
from eventstream.demo import whole
from eventstream.demo.result import DemoResult, Timings, as_dict
from eventstream.demo.whole import PARAMETERS, DemoFailedError
from eventstream.local import pidfile
from eventstream.local.state import Running, StateFolder, demo_folder
from eventstream.output import JsonOption, note, print_json, print_table, print_text
from eventstream.traffic.generate import Anomaly, Plan

PLANTED = Anomaly("error", hours_before_end=3, factor=6.0)
"""Errors in one hour near the end: six times as many as in a mean hour."""

WATCH_S = 0.5
"""How often it is looked whether the pipeline still runs."""

StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state", metavar="FOLDER", help="State folder.", show_default=".eventstream/demo"
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep serving afterwards, until Ctrl-C.")
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Leave it running in the background afterwards.")
    ] = False,
    events: Annotated[
        int, typer.Option("--events", metavar="N", help="How many.", min=1000)
    ] = 20_000,
    hours: Annotated[int, typer.Option("--hours", metavar="N", help="Over how long.", min=48)] = 96,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Same seed, same traffic.")] = 1,
    port: Annotated[
        int, typer.Option("--port", help="Port to serve on; another when it is taken.")
    ] = 3000,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="For each step.", min=1)
    ] = 300.0,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the whole pipeline on generated traffic and check every number.

    Starts the local pipeline with an empty store of its own, sends 96 hours of traffic with one
    planted anomaly, runs the hourly ETL, and compares what was sent with what was accepted, what
    lies in the lake and what the hours add up to. Fails when anything differs.

    Example: eventstream demo --keep
    """
    folder = demo_folder(state)
    plan = Plan(hour_of(datetime.now(UTC)), hours, events, seed=seed, anomaly=PLANTED)
    timings = Timings()
    with timings.step("start"):
        running = whole.start(folder, port, PARAMETERS)
    leave_running = False
    try:
        note(f"the pipeline runs on {running.url}; its logs are in {folder.logs}")
        result = whole.run(running, plan, folder, timings, timeout)
        _show(result, plan, running, timings, as_json=as_json)
        if not as_json and (keep or detach):
            _print_urls(running, plan, whole.moved_note(port, urlsplit(running.url).port))
        leave_running = detach
        if keep and not detach:
            _serve(folder, running)
    finally:
        if not leave_running:
            whole.stop(folder)
    if leave_running:
        _say_how_to_go_on(folder)
    elif not keep:
        note("nothing serves any more: `make run` (`eventstream demo --keep`) goes on serving")
    _judge(result)


def _show(
    result: DemoResult, plan: Plan, running: Running, timings: Timings, *, as_json: bool
) -> None:
    if as_json:
        print_json(as_dict(result, running, timings))
        return
    rows = [
        (row.event_type, row.sent, row.accepted, row.in_lake, row.aggregated, row.is_equal)
        for row in result.rows
    ]
    columns = ("event type", "sent", "accepted", "in the lake", "in hourly results", "equal")
    print_table(columns, rows, title=f"{plan.hours} hours up to {rfc3339(plan.ends_at)}")
    print_text(f"planted anomaly, {result.anomaly_hour}: {result.found or 'NOT FOUND'}")
    print_text(f"anomalies found in the other hours: {result.other_findings}")
    took = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in timings.steps.items())
    print_text(f"times: {took}")


def _print_urls(running: Running, plan: Plan, moved: str) -> None:
    span = f"from={rfc3339(plan.starts_at)}&to={rfc3339(plan.ends_at)}"
    print_text()
    if moved:
        print_text(moved)
    print_text(f"HTTP API   {running.url}")
    print_text(f"Anomalies  {running.url}/anomalies?{span}")
    print_text(f"Hours      {running.url}/metrics?event_type=purchase&granularity=1h&{span}")
    print_text("Send an event:")
    print_text(
        f"  curl -sS {running.url}/events -H 'content-type: application/json' "
        """-d '{"event_type": "page_view", "user_id": "user-1"}'"""
    )


def _say_how_to_go_on(folder: StateFolder) -> None:
    note(f"eventstream stop --state {folder.root}  # ends it")


def _serve(folder: StateFolder, running: Running) -> None:
    """Wait until somebody ends this process, or the pipeline ends on its own."""
    note(f"serving on {running.url}; press Ctrl-C to stop")
    note("in another terminal: .venv/bin/eventstream metrics, types, anomalies, sql, send ...")
    note(
        "this is the demo's own store, emptied by the next `make run`; keep it with "
        f"`eventstream dev --state {_short(folder.root)}`; "
        "a pipeline of your own: `eventstream dev`"
    )

    def end(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    try:
        while pidfile.holder(folder.dev_pid) is not None:
            time.sleep(WATCH_S)
        if not whole.stop_was_clean(folder):
            raise DemoFailedError(f"the pipeline has ended by itself: see {folder.logs}")
        note("the pipeline was stopped")
    except KeyboardInterrupt:
        note("stopping")


def _short(folder: Path) -> Path:
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def _judge(result: DemoResult) -> None:
    wrong = [row.event_type for row in result.rows if not row.is_equal]
    if wrong:
        raise DemoFailedError(f"the numbers differ for {', '.join(wrong)}")
    if result.found is None:
        raise DemoFailedError(f"the anomaly planted in {result.anomaly_hour} was not found")
