"""``eventstream invoke``: a function in this process, with the environment it is deployed with."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from eventstream.local.invocation import invoke as call
from eventstream.local.state import find_project
from eventstream.output import JsonOption, UsageProblemError, print_json, spell_json_error
from eventstream.sample_events import function_of
from eventstream.target import StateOption, resolve


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("invoke")(invoke)


def invoke(
    function: Annotated[str, typer.Argument(help="Logical id of the function.")],
    event: Annotated[str, typer.Argument(help="File with the event as JSON; - for stdin.")],
    state: StateOption = None,
    as_json: JsonOption = False,  # noqa: ARG001 - the answer is JSON in any case
) -> None:
    """Call a function in this process.

    It gets the deployed environment and runs in this terminal: breakpoint() works. What it
    writes goes to the running pipeline; the samples of events/ hold events of February 2026.
    `eventstream events list` says which sample is for which function.

    Example: eventstream invoke IngestFunction events/http-post-event.json
    """
    document = _read_event(event)
    meant = function_of(document)
    if meant not in (None, function):
        raise UsageProblemError(
            f"{event} is a sample for {meant}, not for {function}; "
            "`eventstream events list` says which is for which"
        )
    print_json(call(resolve(state), function, document, find_project()))


def _read_event(path: str) -> Any:  # noqa: ANN401 - a function takes any JSON
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        return json.loads(text)
    except OSError as error:
        raise UsageProblemError(f"{path} can't be read: {error.strerror}") from None
    except ValueError as error:
        name = "stdin" if path == "-" else path
        raise UsageProblemError(f"{name} {spell_json_error(error)}") from None
