"""``eventstream replay``: what could not be processed, on the stream again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from eventstream.output import JsonOption, UsageProblemError, note
from eventstream.replay import pipeline
from eventstream.replay.account import Account
from eventstream.replay.choice import Choice, choose
from eventstream.replay.judging import TIME_LIMITS, Rejudge
from eventstream.replay.mending import open_file
from eventstream.replay.options import (
    ConditionOption,
    DryRunOption,
    GiveUpOption,
    LimitOption,
    RateOption,
    ReasonOption,
    SinceOption,
    StreamOption,
    UntilOption,
)
from eventstream.replay.run import (
    Sending,
    Wanted,
    edit_lines,
    export_lines,
    run_failures,
    run_quarantine,
)
from eventstream.replay.text import show_account
from eventstream.target import (
    ProfileOption,
    RegionOption,
    StackNameOption,
    StateOption,
    resolve,
)

replay_app = typer.Typer(no_args_is_help=True)

_MEND = "Mend them with --edit, or with --export FILE and --from-file FILE"
IdsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", help="Only these, by id or key.", show_default="all"),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(replay_app, name="replay")


@replay_app.callback()
def replay() -> None:
    """Put on the stream again what could not be processed.

    Example: eventstream replay quarantine --dry-run
    """


@replay_app.command("quarantine")
def quarantine(
    ids: IdsArgument = None,
    *,
    reason: ReasonOption = None,
    stream: StreamOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = None,
    dry_run: DryRunOption = False,
    edit_first: Annotated[
        bool, typer.Option("--edit", help="Mend the lines in $EDITOR, then replay them.")
    ] = False,
    export: Annotated[
        str | None,
        typer.Option(
            "--export", metavar="FILE", help="Write the lines to a file to mend, and replay none."
        ),
    ] = None,
    from_file: Annotated[
        Path | None,
        typer.Option("--from-file", metavar="FILE", help="Replay the lines of a mended export."),
    ] = None,
    any_age: Annotated[
        bool,
        typer.Option("--any-age", help="Also events that were too old when they were received."),
    ] = False,
    rate: RateOption = None,
    give_up_after: GiveUpOption = 60.0,
    as_json: JsonOption = False,
    state: StateOption = None,
    stack_name: StackNameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """Replay lines from quarantine that are events by now, or once mended.

    Killed at any point, the same command goes on: a line that is sent twice is one event.

    Example: eventstream replay quarantine --reason bad_format --edit
    """
    _one_of(edit_first=edit_first, export=export, from_file=from_file)
    choice = choose(reason, stream, since, until, datetime.now(UTC))
    if from_file is not None and (choice != Choice() or ids or limit):
        raise UsageProblemError("--from-file names its lines: leave the filters out")
    target = resolve(state, stack_name, region, profile)
    config = pipeline.ingest_config(target)
    wanted = Wanted(pipeline.quarantine(target), choice, ids, limit)
    rejudge = Rejudge(config, any_age=any_age)
    sending = Sending(target, config, rate, give_up_after, dry_run=dry_run)
    if export is not None:
        export_lines(wanted, rejudge, export)
    elif edit_first:
        _edited(wanted, rejudge, sending, as_json=as_json)
    else:
        mended = open_file(from_file) if from_file else None
        mend = f"Mend {from_file} and give it to --from-file again" if from_file else _MEND
        account = run_quarantine(wanted, rejudge, mended, sending)
        if TIME_LIMITS in account.rules and not any_age:
            mend += "; --any-age takes those that were only too old when they were received"
        show_account(account, as_json=as_json, mend=mend)


def _edited(wanted: Wanted, rejudge: Rejudge, sending: Sending, *, as_json: bool) -> None:
    found = edit_lines(wanted, rejudge)
    if found is None:
        show_account(Account("quarantine", sending.dry_run), as_json=as_json, mend="")
        return
    path, mended = found
    account = run_quarantine(replace(wanted, ids=None), rejudge, mended, sending)
    if account.is_whole and not sending.dry_run:
        path.unlink()
    else:
        note(f"your edit is kept in {path}")
    show_account(account, as_json=as_json, mend=f"Mend {path} and give it to --from-file")


@replay_app.command("failures")
def failures(
    ids: IdsArgument = None,
    *,
    condition: ConditionOption = None,
    stream: StreamOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = None,
    dry_run: DryRunOption = False,
    rate: RateOption = None,
    give_up_after: GiveUpOption = 60.0,
    as_json: JsonOption = False,
    state: StateOption = None,
    stack_name: StackNameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """Replay batches that were given up; their bad lines go into quarantine.

    Killed at any point, the same command goes on: a line that is sent twice is one event.

    Example: eventstream replay failures --since 24h --rate 500
    """
    choice = choose(condition, stream, since, until, datetime.now(UTC))
    target = resolve(state, stack_name, region, profile)
    config = pipeline.ingest_config(target)
    wanted = Wanted(pipeline.failures(target), choice, ids, limit)
    sending = Sending(target, config, rate, give_up_after, dry_run=dry_run)
    account = run_failures(wanted, sending)
    show_account(account, as_json=as_json, mend="`eventstream failures show` has what they hold")


def _one_of(**given: object) -> None:
    if sum(bool(value) for value in given.values()) > 1:
        raise UsageProblemError("give one of --edit, --export and --from-file")
