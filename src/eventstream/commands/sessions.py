"""``eventstream sessions``: whose sessions there are, and which are going on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from eventstream.commands.send import UrlOption
from eventstream.load.client import HttpApi
from eventstream.output import JsonOption, UsageProblemError, note, print_json, print_table
from eventstream.reading.client import read_rows
from eventstream.target import ProfileOption, RegionOption, StackNameOption, StateOption, resolve

_SECOND = 19
"""Characters of an instant up to its second."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sessions")(sessions)


def sessions(
    *,
    user: Annotated[
        str | None, typer.Option("--user", metavar="ID", help="Sessions of this user.")
    ] = None,
    anonymous: Annotated[
        str | None,
        typer.Option("--anonymous", metavar="ID", help="Sessions of this anonymous id."),
    ] = None,
    session: Annotated[
        str | None,
        typer.Option(
            "--session",
            metavar="ID",
            help="One session; a client's own id needs --user or --anonymous.",
        ),
    ] = None,
    active: Annotated[
        bool, typer.Option("--active", help="Sessions going on now: the default without an id.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Most sessions.")] = 100,
    url: UrlOption = None,
    as_json: JsonOption = False,
    state: StateOption = None,
    stack_name: StackNameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """List sessions: those of a person, or those going on now.

    Example: eventstream sessions --user ada
    """
    _check_person(user, anonymous, session)
    asked = {"user_id": user, "anonymous_id": anonymous, "session_id": session}
    if active and any(value is not None for value in asked.values()):
        raise UsageProblemError("give --active or whose sessions, not both")
    path = "/sessions"
    if all(value is None for value in asked.values()):
        path, asked = "/sessions/active", {}
    with HttpApi(url or resolve(state, stack_name, region, profile).api_url) as api:
        body = read_rows(api, path, "sessions", asked, limit)
    if as_json:
        print_json(body)
    elif body["sessions"]:
        _show(body)
    else:
        note(body.get("hint", "nobody is in a session: events of the last minutes begin one"))


def _check_person(user: str | None, anonymous: str | None, session: str | None) -> None:
    """Refuse what the API would refuse in the names of its own parameters."""
    # Imported late: --help needs none of it.
    from query.sessions import COMPUTED_ID

    if user is not None and anonymous is not None:
        raise UsageProblemError("give --user or --anonymous, not both")
    nobody = user is None and anonymous is None
    if nobody and session is not None and not COMPUTED_ID.fullmatch(session):
        raise UsageProblemError(
            "--session: whose it is must be said, with --user or --anonymous; only the id of a "
            "computed session, as this command prints it, does without"
        )


def _show(body: Mapping[str, Any]) -> None:
    print_table(
        ("who", "start (UTC)", "end", "minutes", "events", "session", "status"),
        [
            (
                row["user_id"] or f"{row['anonymous_id']} (anonymous)",
                _second(row["start"]),
                _second(row["end"]),
                round(row["duration_ms"] / 60_000, 1),
                row["events"],
                row["session_id"],
                "active" if row["is_active"] else row["status"],
            )
            for row in body["sessions"]
        ],
    )
    if body.get("dropped"):
        note(f"{body['dropped']:,} older sessions were dropped: nobody has so many but a machine")
    if body["next_cursor"] is not None:
        note("there is more: raise --limit")


def _second(text: str) -> str:
    return text[:_SECOND].replace("T", " ")
