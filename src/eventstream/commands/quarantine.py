"""``eventstream quarantine``: lines that no retry can fix, and why they lie there."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from common.domain.windows import rfc3339
from eventstream.output import JsonOption
from eventstream.replay import pipeline
from eventstream.replay.choice import choose
from eventstream.replay.kept import Kept
from eventstream.replay.listing import Listing, chosen
from eventstream.replay.options import (
    IdArgument,
    ReasonOption,
    ShownOption,
    SinceOption,
    StreamOption,
    UntilOption,
)
from eventstream.replay.printable import print_safe_json
from eventstream.replay.text import (
    kept_as_dict,
    line_as_dict,
    print_facts,
    print_kept,
    print_lines,
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

_LISTING = Listing("quarantined", "nothing is in quarantine", kept_as_dict, print_kept)


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
    limit: ShownOption = 50,
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
    _LISTING.show(objects, choice, limit, as_json=as_json)


@quarantine_app.command("show")
def show_quarantine(
    name: IdArgument,
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
    print_lines(
        [(f"line {number}:" if bad.many else None, raw) for number, raw in lines], "bad lines"
    )


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
        _LISTING.tell_nothing(choice)
