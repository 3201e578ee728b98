"""``eventstream load``: a file or generated traffic, fast and resumable."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from eventstream.commands.send import UrlOption
from eventstream.load.client import HttpApi, Patience
from eventstream.load.job import AnySource, Job, preview, run_job
from eventstream.load.loader import Pace
from eventstream.load.opening import generated, identify, open_file
from eventstream.load.text import show_preview, show_report
from eventstream.local.state import folder_in_use
from eventstream.output import JsonOption, UsageProblemError
from eventstream.target import (
    ProfileOption,
    RegionOption,
    StackNameOption,
    StateOption,
    resolve,
)

_OF_TRAFFIC = "With --synthetic:"
"""Begins the help of the options that only generated traffic has."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("load")(load)


def load(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="CSV or NDJSON, .gz or not; NDJSON may hold events."),
    ] = None,
    *,
    mapping: Annotated[
        Path | None,
        typer.Option(
            "--mapping", "-m", metavar="FILE", help="TOML that says how a row is an event."
        ),
    ] = None,
    shift_to_now: Annotated[
        bool,
        typer.Option("--shift-to-now", help="Move times by whole hours so that the file ends now."),
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", help="Only the first rows.", min=1)
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Map and check everything, show some, send nothing.")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Send all again, also what was sent before.")
    ] = False,
    batch: Annotated[
        int, typer.Option("--batch", metavar="N", help="Events a request.", min=1, max=5000)
    ] = 500,
    concurrency: Annotated[
        int, typer.Option("--concurrency", metavar="N", help="Requests at once.", min=1, max=64)
    ] = 4,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            metavar="N",
            help="Events a second at most.",
            min=0.1,
            show_default="no limit",
        ),
    ] = None,
    give_up_after: Annotated[
        float,
        typer.Option(
            "--give-up-after", metavar="SECONDS", help="How long a busy API is asked again.", min=0
        ),
    ] = 60.0,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Generate traffic instead of reading a file.")
    ] = False,
    hours: Annotated[
        int, typer.Option("--hours", metavar="N", help=f"{_OF_TRAFFIC} its length.", min=1)
    ] = 96,
    events: Annotated[
        int, typer.Option("--events", metavar="N", help=f"{_OF_TRAFFIC} how many.", min=1)
    ] = 30_000,
    users: Annotated[
        int, typer.Option("--users", metavar="N", help=f"{_OF_TRAFFIC} visitors.", min=1)
    ] = 2_000,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help=f"{_OF_TRAFFIC} same seed, same traffic.")
    ] = 1,
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            metavar="HOUR",
            help=f"{_OF_TRAFFIC} the whole hour where it ends.",
            show_default="the last complete hour",
        ),
    ] = None,
    anomaly: Annotated[
        str | None,
        typer.Option(
            "--anomaly",
            metavar="TYPE:HOUR:FACTOR",
            help=f"{_OF_TRAFFIC} plant one, HOUR hours before the end; "
            "add :latency to slow the type instead.",
        ),
    ] = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
    state: StateOption = None,
    stack_name: StackNameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """Load a file or generated traffic, fast and resumable.

    Killed or failed, the same command goes on where it stopped: every row keeps its event id, so
    the lake counts it once.

    Example: eventstream load sales.csv.gz --mapping sales.toml --shift-to-now

    Example: eventstream load --synthetic --hours 96 --events 30000 --anomaly error:3:6
    """
    now = datetime.now(UTC)
    if synthetic:
        source: AnySource = generated(
            now,
            hours=hours,
            events=events,
            users=users,
            seed=seed,
            until=until,
            anomaly=anomaly,
        )
        _refuse(given=file or mapping or shift_to_now, message="--synthetic reads no file")
    else:
        _refuse(given=anomaly or until, message="--anomaly and --until need --synthetic")
        source = open_file(file, mapping)
    if dry_run:
        show_preview(preview(source, now=now, shifted=shift_to_now, limit=limit), as_json=as_json)
        return
    target = None if url else resolve(state, stack_name, region, profile)
    with HttpApi(target.api_url if target else str(url)) as api:
        job = Job(
            source,
            api,
            identify(target) if target else str(url),
            folder_in_use(state).root / "loads",
            now,
            Pace(batch, concurrency, rate),
            Patience(give_up_after_s=give_up_after),
            limit,
            shift_to_now=shift_to_now,
            restart=restart,
        )
        report, earlier = run_job(job)
    chosen = {"state": state, "stack-name": stack_name, "region": region, "profile": profile}
    pipeline = "".join(f" --{name} {quote(str(value))}" for name, value in chosen.items() if value)
    show_report(report, earlier, now=now, pipeline=pipeline, as_json=as_json)


def _refuse(*, given: object, message: str) -> None:
    if given:
        raise UsageProblemError(message)
