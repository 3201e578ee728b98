"""``eventstream quarantine``: lines that no retry can fix, and why they lie there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

import typer

from common.domain.windows import rfc3339
from eventstream.output import JsonOption, note
from eventstream.progress import progress
from eventstream.replay import pipeline
from eventstream.replay.choice import Choice, choose
from eventstream.replay.kept import Kept, UnreadableObjectError
from eventstream.replay.options import ReasonOption, SinceOption, StreamOption, UntilOption
from eventstream.replay.printable import print_safe_json, printable
from eventstream.replay.store import WaitingObjects
from eventstream.replay.text import (
    kept_as_dict,
    line_as_dict,
    print_facts,
    print_kept,
    print_line,
    print_stats,
)
from eventstream.target import (
    ProfileOption,
    RegionOption,
    StackNameOption,
    StateOption,
    resolve,
)

quarantine_app = typer.Typer(no_args_is_help=True)

_SHOWN_LINES = 20
_EMPTY = "nothing is in quarantine"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(quarantine_app, name="quarantine")


@quarantine_app.callback()
def quarantine() -> None:
    """Look at lines that no retry can fix.

    Example: eventstream quarantine list --since 24h
    """


@quarantine_app.command("list")
def list_quarantine(
    *,
    reason: ReasonOption = None,
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
    """List what is in quarantine, newest first.

    Example: eventstream quarantine list --reason json_invalid --since 2026-11-20T09
    """
    objects = pipeline.quarantine(resolve(state, stack_name, region, profile))
    choice = choose(reason, stream, since, until, datetime.now(UTC))
    found = list(islice(chosen(objects, choice), limit + 1))
    shown = found[:limit]
    if as_json:
        more = len(found) > limit
        print_safe_json({"quarantined": [kept_as_dict(kept) for kept in shown], "more": more})
    elif shown:
        print_kept(shown)
        if len(found) > limit:
            note(f"there is more: raise --limit (it is {limit})")
    else:
        note(_EMPTY if choice == Choice() else f"{_EMPTY} that fits")


@quarantine_app.command("show")
def show_quarantine(
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
    """Show one object of the quarantine: why, where it stood, and its bad lines.

    Example: eventstream quarantine show 49654321098765432109876543210987654321098765432109876546-0
    """
    objects = pipeline.quarantine(resolve(state, stack_name, region, profile))
    kept: Kept = objects.one(name)
    lines = list(kept.lines())
    if as_json:
        told = [line_as_dict(number, raw) for number, raw in lines]
        print_safe_json(kept_as_dict(kept) | {"content": told})
        return
    bad = kept.bad
    ranges = bad.many.ranges if bad.many else ()
    print_facts(
        {
            "reason": bad.reason,
            "field": bad.field,
            "arrived": rfc3339(bad.arrived_at) if bad.arrived_at else None,
            "stream": bad.position.stream,
            "shard": bad.position.shard,
            "sequence": bad.position.sequence,
            "line": bad.line,
            "reasons": ", ".join(f"{n:,} {why}" for why, n in kept.reasons.items())
            if bad.many
            else None,
            "bad lines": ", ".join(f"{a}-{b}" if a != b else str(a) for a, b in ranges) or None,
            "bytes": f"{len(bad.raw):,}",
            "object": f"s3://{objects.bucket}/{kept.key}",
        }
    )
    for number, raw in lines[:_SHOWN_LINES]:
        print_line(raw, f"line {number}:" if bad.many else None)
    if len(lines) > _SHOWN_LINES:
        note(f"{len(lines) - _SHOWN_LINES:,} more bad lines: --json has them")


@quarantine_app.command("stats")
def stats(
    *,
    reason: ReasonOption = None,
    stream: StreamOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    as_json: JsonOption = False,
    state: StateOption = None,
    stack_name: StackNameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """Count what is in quarantine by day and reason.

    Example: eventstream quarantine stats --since 7d
    """
    objects = pipeline.quarantine(resolve(state, stack_name, region, profile))
    choice = choose(reason, stream, since, until, datetime.now(UTC))
    found = list(chosen(objects, choice))
    if found or as_json:
        print_stats(found, as_json=as_json)
    else:
        note(_EMPTY if choice == Choice() else f"{_EMPTY} that fits")


def chosen(objects: WaitingObjects, choice: Choice) -> Iterator[Kept]:
    """Read what fits, newest first; what can't be read is told of and left out."""
    listed = list(choice.of(objects.listed()))
    with progress("reading", len(listed)) as shown:
        for one in objects.read(listed):
            shown.advance(1)
            if isinstance(one, UnreadableObjectError):
                note(printable(str(one)))
            elif choice.holds(one):
                yield one
