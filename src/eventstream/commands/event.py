"""``eventstream event``: what became of one event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import typer

from eventstream.commands.send import UrlOption
from eventstream.load.client import HttpApi
from eventstream.output import JsonOption, note, print_json, print_text
from eventstream.reading.client import read
from eventstream.replay.printable import printable
from eventstream.target import ProfileOption, RegionOption, StackNameOption, StateOption, resolve


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("event")(event)


def event(
    event_id: Annotated[str, typer.Argument(metavar="ID", help="The id that its receipt names.")],
    *,
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="ID", help="Only what this API key sent, or public."),
    ] = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
    state: StateOption = None,
    stack_name: StackNameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """Tell what became of an event; needs the event index.

    Example: eventstream event 0199c0de-0000-7000-8000-000000000000
    """
    with HttpApi(url or resolve(state, stack_name, region, profile).api_url) as api:
        body = read(api, f"/events/{quote(event_id)}", {"source": source})
    if as_json:
        print_json(body)
        return
    for found in body["events"]:
        for name, value in _rows(found):
            print_text(f"{name:<20}{printable(str(value))}")
        if found["hour"] and found["hour"]["status"] == "provisional":
            note("its hour is provisional: results change until nothing of it can be in flight")
    if body["hint"]:
        note(body["hint"])


def _rows(found: Mapping[str, Any]) -> list[tuple[str, object]]:
    hour, bad, again = found["hour"], found["quarantine"], found["replayed"]
    rows: list[tuple[str, object]] = [
        ("source", found["source"]),
        ("state", found["state"]),
        ("type", found["event_type"] or "-"),
        ("happened at", found["timestamp"] or "-"),
        ("received at", found["received_at"] or "-"),
        ("in the stream", f"{found['arrived_at']}, {_place(found['position'])}"),
    ]
    if bad:
        rows.append(("quarantined", f"{bad['reason']} of {bad['field'] or 'the line'}"))
        rows.append(("quarantine object", bad["object"]))
    if found["lake_object"]:
        rows.append(("lake object", found["lake_object"]))
    if hour:
        rows.append(("of the hour", f"{hour['start']}, {hour['status']}"))
    if again:
        rows.append(("replayed", f"{_place(again['position'])}, {again['lake_object']}"))
    return rows


def _place(position: Mapping[str, Any]) -> str:
    return f"{position['shard']} {position['sequence']} line {position['line']}"
