"""``eventstream failures``: batches that the stream's mapping gave up on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import typer

from common.domain.windows import rfc3339
from eventstream.output import JsonOption, print_text
from eventstream.replay import pipeline
from eventstream.replay.batches import AnyLine, NoRecordsError, every_line
from eventstream.replay.choice import choose
from eventstream.replay.failed import Failed
from eventstream.replay.listing import Listing
from eventstream.replay.options import (
    ConditionOption,
    IdArgument,
    ShownOption,
    SinceOption,
    StreamOption,
    UntilOption,
)
from eventstream.replay.printable import print_safe_json, printable
from eventstream.replay.text import (
    failed_as_dict,
    line_as_dict,
    print_facts,
    print_failed,
    print_lines,
)
from eventstream.target import (
    ProfileOption,
    RegionOption,
    StackNameOption,
    StateOption,
    resolve,
)

failures_app = typer.Typer(no_args_is_help=True)

_LISTING = Listing("failures", "no batch was given up", failed_as_dict, print_failed)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(failures_app, name="failures")


@failures_app.callback()
def failures() -> None:
    """Look at batches that were given up.

    Example: eventstream failures list --since 24h
    """


@failures_app.command("list")
def list_failures(
    *,
    condition: ConditionOption = None,
    stream: StreamOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: ShownOption = 50,
    as_json: JsonOption = False,
    state: StateOption = None,
    stack_name: StackNameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """List the batches that were given up, newest first.

    Example: eventstream failures list --since 7d
    """
    objects = pipeline.failures(resolve(state, stack_name, region, profile))
    choice = choose(condition, stream, since, until, datetime.now(UTC))
    _LISTING.show(objects, choice, limit, as_json=as_json)


@failures_app.command("show")
def show_failure(
    name: IdArgument,
    *,
    as_json: JsonOption = False,
    state: StateOption = None,
    stack_name: StackNameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """Show a batch that was given up: why, which records, and their lines.

    Example: eventstream failures show 2026-11-20T09.30.00-0f8e9a52-6c1d-4f6f-9d0a-5f6f6a1c2b3d
    """
    objects = pipeline.failures(resolve(state, stack_name, region, profile))
    failed: Failed = objects.one(name)
    problem, lines = None, list[AnyLine]()
    try:
        lines = every_line(failed)
    except NoRecordsError as error:
        problem = f"it {error}"
    if as_json:
        told = [_line_as_dict(one) for one in lines]
        print_safe_json(failed_as_dict(failed) | {"problem": problem, "content": told})
        return
    _print(failed, objects.bucket)
    if problem:
        print_text()
        print_text(printable(problem))
    print_lines([(_heading(one), one.raw) for one in lines], "lines")


def _line_as_dict(one: AnyLine) -> dict[str, Any]:
    return {"sequence": one.sequence, **line_as_dict(one.line, one.raw), "reason": one.reason}


def _heading(one: AnyLine) -> str:
    why = "" if one.reason is None else f" ({one.reason})"
    return f"{one.sequence}, line {one.line}{why}:"


def _print(failed: Failed, bucket: str) -> None:
    print_facts(
        {
            "given up": rfc3339(failed.at),
            "condition": failed.condition,
            "tries": failed.invocations,
            "error": failed.error or "the function asked for the records again",
            "stream": failed.stream,
            "shard": failed.shard,
            "first": failed.first,
            "last": failed.last,
            "records": failed.batch_size,
            "object": f"s3://{bucket}/{failed.key}",
        }
    )
