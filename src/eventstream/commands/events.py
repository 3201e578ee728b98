"""``eventstream events``: the sample events of ``events/``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eventstream.local.state import find_project
from eventstream.output import CommandError, JsonOption, note, print_json, print_table

FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--dir", metavar="FOLDER", help="Where they lie.", show_default="events/ of the project"
    ),
]

events_app = typer.Typer(no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(events_app, name="events")


@events_app.callback()
def events() -> None:
    """Write the sample events for `sam local invoke`.

    Example: sam local invoke IngestFunction -e events/http-post-event.json
    """


@events_app.command("write")
def write(
    *,
    folder: FolderOption = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when stale.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the files of events/.

    Example: eventstream events write --check
    """
    from eventstream.sample_events import sample_events
    from eventstream.sample_files import stale_files, write_files

    folder = folder or find_project() / "events"
    changed = stale_files(folder) if check else write_files(folder)
    if as_json:
        names = sorted(f"{name}.json" for name in sample_events())
        print_json(
            {"folder": str(folder), "files": names, "changed": changed, "written": not check}
        )
    if check and changed:
        raise CommandError(
            f"{len(changed)} files of {folder} are not current ({', '.join(changed[:5])}): "
            "run `eventstream events write`"
        )
    if not as_json:
        note(f"{len(changed)} files changed in {folder}")


@events_app.command("list")
def list_samples(*, as_json: JsonOption = False) -> None:
    """List the samples, and the function that each is for.

    Example: eventstream events list
    """
    from eventstream.sample_events import samples_by_function

    rows = [
        (f"events/{name}.json", function)
        for function, samples in samples_by_function().items()
        for name in samples
    ]
    if as_json:
        print_json([{"file": file, "function": function} for file, function in rows])
    else:
        print_table(("sample", "function"), rows)
