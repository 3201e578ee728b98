"""Options that the commands on quarantine, failures and replay share."""

from __future__ import annotations

from typing import Annotated

import typer

from eventstream.local.batches import RETRIES_EXHAUSTED, TOO_OLD

IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Its id, as `list` prints it, or its key.")
]
ReasonOption = Annotated[
    list[str] | None,
    typer.Option(
        "--reason", metavar="CODE", help="Only lines that broke this rule; may be given often."
    ),
]
ConditionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--condition",
        metavar="NAME",
        help=f"Only batches given up for this: {RETRIES_EXHAUSTED} or {TOO_OLD}; may be given "
        "often.",
    ),
]
StreamOption = Annotated[
    str | None, typer.Option("--stream", metavar="NAME", help="Only what came from this stream.")
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="TIME", help="From this instant, hour or day, or 24h ago (90m, 7d) on."
    ),
]
UntilOption = Annotated[
    str | None,
    typer.Option("--until", metavar="TIME", help="Before this instant, hour or day, or 24h ago."),
]
ShownOption = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Most objects.")]
LimitOption = Annotated[
    int | None,
    typer.Option("--limit", metavar="N", min=1, help="Most objects.", show_default="all"),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be sent, and what can't be and why.")
]
RateOption = Annotated[
    float | None,
    typer.Option(
        "--rate", metavar="N", min=0.1, help="Events a second at most.", show_default="no limit"
    ),
]
GiveUpOption = Annotated[
    float,
    typer.Option(
        "--give-up-after",
        metavar="SECONDS",
        min=0,
        help="How long a stream that takes nothing is asked again.",
    ),
]
