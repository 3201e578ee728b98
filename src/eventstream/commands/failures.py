"""``eventstream failures``: batches that the stream's mapping gave up on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

import typer

from common.domain.bad_lines import Position
from common.domain.windows import rfc3339
from eventstream.output import JsonOption, note, print_text
from eventstream.progress import progress
from eventstream.replay import pipeline
from eventstream.replay.batches import NoRecordsError, lines_of
from eventstream.replay.choice import Choice, choose
from eventstream.replay.failed import Failed
from eventstream.replay.kept import UnreadableObjectError
from eventstream.replay.options import ConditionOption, SinceOption, StreamOption, UntilOption
from eventstream.replay.printable import print_safe_json, printable
from eventstream.replay.store import WaitingObjects
from eventstream.replay.text import (
    failed_as_dict,
    line_as_dict,
    print_facts,
    print_failed,
    print_line,
)
from eventstream.target import (
    ProfileOption,
    RegionOption,
    StackNameOption,
    StateOption,
    resolve,
)

failures_app = typer.Typer(no_args_is_help=True)

_SHOWN_LINES = 20
_EMPTY = "no batch was given up"


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
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Most objects.")] = 50,
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
    found = list(islice(_chosen(objects, choice), limit + 1))
    shown = found[:limit]
    if as_json:
        more = len(found) > limit
        print_safe_json({"failures": [failed_as_dict(one) for one in shown], "more": more})
    elif shown:
        print_failed(shown)
        if len(found) > limit:
            note(f"there is more: raise --limit (it is {limit})")
    else:
        note(_EMPTY if choice == Choice() else f"{_EMPTY} that fits")


@failures_app.command("show")
def show_failure(
    name: Annotated[
        str, typer.Argument(metavar="ID", help="Its id, as `list` prints it, or its key.")
    ],
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
    problem, lines = None, list[tuple[bytes, Position, int, str | None]]()
    try:
        good, bad = lines_of(failed)
        lines += [(raw, at, line, None) for raw, at, line in good]
        lines += [(each.raw, each.position, each.line, each.reason) for each in bad]
        lines.sort(key=lambda one: (int(one[1].sequence), one[2]))
    except NoRecordsError as error:
        problem = f"it {error}"
    if as_json:
        told = [_line(*one) for one in lines]
        print_safe_json(failed_as_dict(failed) | {"problem": problem, "content": told})
        return
    _print(failed, objects.bucket)
    if problem:
        print_text()
        print_text(printable(problem))
    for raw, at, line, reason in lines[:_SHOWN_LINES]:
        print_line(raw, printable(f"{at.sequence}, line {line}{f' ({reason})' if reason else ''}:"))
    if len(lines) > _SHOWN_LINES:
        note(f"{len(lines) - _SHOWN_LINES:,} more lines: --json has them")


def _line(raw: bytes, at: Position, line: int, reason: str | None) -> dict[str, Any]:
    return {"sequence": at.sequence, **line_as_dict(line, raw), "reason": reason}


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


def _chosen(objects: WaitingObjects, choice: Choice) -> Iterator[Failed]:
    listed = list(choice.of(objects.listed()))
    with progress("reading", len(listed)) as shown:
        for one in objects.read(listed):
            shown.advance(1)
            if isinstance(one, UnreadableObjectError):
                note(printable(str(one)))
            elif choice.holds(one):
                yield one
