"""``eventstream schemas``: the registered schemas of event types, before they are deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from common.errors import ConfigError
from eventstream.local.state import find_project
from eventstream.output import CommandError, JsonOption, note, print_json, print_table

FolderArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="FOLDER",
        help="Where they lie, one folder for each type.",
        show_default="src/ingest/schemas of the project",
    ),
]

schemas_app = typer.Typer(no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(schemas_app, name="schemas")


@schemas_app.callback()
def schemas() -> None:
    """Check the registered schemas of event types.

    Example: eventstream schemas check
    """


@schemas_app.command("check")
def check(folder: FolderArgument = None, *, as_json: JsonOption = False) -> None:
    """Check every schema as the deployed function will, and list them.

    Example: eventstream schemas check examples/schemas
    """
    from ingest.registry import Registry

    folder = folder or find_project() / "src" / "ingest" / "schemas"
    if not folder.is_dir():
        raise CommandError(f"{folder} is no folder")
    try:
        registry = Registry.load(folder)
    except ConfigError as error:
        raise CommandError(error.message) from None
    versions = {name: sorted(found) for name, found in sorted(registry.schemas.items())}
    if as_json:
        rows = [{"event_type": name, "versions": found} for name, found in versions.items()]
        print_json({"folder": str(folder), "schemas": rows})
    elif not versions:
        note(f"no schemas in {folder}: put one into <type>/1.json, events without are not checked")
    else:
        print_table(
            ("event type", "versions", "ruling"),
            [(name, ", ".join(map(str, found)), found[-1]) for name, found in versions.items()],
        )
