"""``eventstream keys``: who may send events, and who may read numbers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from common.access import FRESH_FOR
from common.domain.api_keys import ApiKey
from common.domain.windows import rfc3339
from eventstream.api_keys import KeyRing
from eventstream.output import (
    CommandError,
    JsonOption,
    note,
    print_json,
    print_table,
    print_text,
)
from eventstream.target import (
    ProfileOption,
    RegionOption,
    StackNameOption,
    StateOption,
    Target,
    resolve,
)

keys_app = typer.Typer(no_args_is_help=True)

_DELAY_S = int(FRESH_FOR.total_seconds())


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(keys_app, name="keys")


@keys_app.callback()
def keys() -> None:
    """Make, list and revoke API keys.

    Example: eventstream keys create --name "web shop"
    """


@keys_app.command("create")
def create(
    *,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="What it is for, for those who list keys.")
    ] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help="What it may do: ingest (send events) or query (read); may be given twice.",
            show_default="ingest",
        ),
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(
            "--origin",
            metavar="ORIGIN",
            help="For web pages: an origin such as https://shop.example.com or "
            "https://*.example.com that it may be used from; may be given often.",
        ),
    ] = None,
    as_json: JsonOption = False,
    state: StateOption = None,
    stack_name: StackNameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """Make an API key and print it: it can't be shown again.

    The key alone goes to stdout, what else there is to say to stderr.

    Example: eventstream keys create --name "web shop" --origin https://shop.example.com
    """
    target = resolve(state, stack_name, region, profile)
    text, key = KeyRing(target).create(name, scope or ["ingest"], origin or [])
    if as_json:
        print_json({"key": text, **_as_dict(key), "stack": target.stack_name})
        return
    print_text(text)
    note(f"created {_spell(key)} in stack {target.stack_name} at {rfc3339(key.created_at)}")
    if key.origins:
        note(f"it works from these origins only: {', '.join(key.origins)}")
    note("keep it now: only a hash of it is stored, and nobody can show it again")


@keys_app.command("list")
def list_keys(
    *,
    as_json: JsonOption = False,
    state: StateOption = None,
    stack_name: StackNameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """List the API keys, revoked ones too, oldest first.

    Example: eventstream keys list --stack-name eventstream-prod
    """
    found = KeyRing(resolve(state, stack_name, region, profile)).every()
    rows = [_as_dict(key) for key in found]
    if as_json:
        print_json({"keys": rows})
    elif rows:
        print_table(list(rows[0]), [[_cell(value) for value in row.values()] for row in rows])
    else:
        note("there are no keys: `eventstream keys create` makes one")


@keys_app.command("revoke")
def revoke(
    key_id: Annotated[
        str, typer.Argument(metavar="ID", help="Its id, or the key itself if it leaked.")
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: JsonOption = False,
    state: StateOption = None,
    stack_name: StackNameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """Revoke an API key, for good.

    Example: eventstream keys revoke 46b042607390fcb2 --yes
    """
    target = resolve(state, stack_name, region, profile)
    ring = KeyRing(target)
    key = ring.find(key_id)
    already = key.revoked_at is not None
    if not already:
        if not yes:
            _ask(key, target)
        key = ring.revoke(key)
    if as_json:
        print_json({**_as_dict(key), "stack": target.stack_name})
        return
    at = rfc3339(key.revoked_at) if key.revoked_at else "-"
    if already:
        note(f"{_spell(key)} in stack {target.stack_name} was revoked at {at} already")
    else:
        note(f"revoked {_spell(key)} in stack {target.stack_name} at {at}")
        note(f"within {_DELAY_S} s it is refused everywhere")


def _ask(key: ApiKey, target: Target) -> None:
    question = f"Revoke {_spell(key)} in stack {target.stack_name}? Who uses it is refused then."
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort:
        note("")
        raise CommandError("nothing was revoked: say yes, or give --yes") from None
    if not agreed:
        raise CommandError("nothing was revoked")


def _spell(key: ApiKey) -> str:
    name = f' "{key.name}"' if key.name else ""
    return f"key {key.id}{name} ({', '.join(sorted(key.scopes))})"


def _as_dict(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "origins": list(key.origins),
        "created_at": rfc3339(key.created_at),
        "revoked_at": rfc3339(key.revoked_at) if key.revoked_at else None,
    }


def _cell(value: object) -> object:
    if isinstance(value, list):
        return ", ".join(value) or None
    return value or None
