"""The command line: ``eventstream COMMAND``.

A command's module is imported when the command is used, so that ``eventstream --help`` is quick
and a command whose packages are missing breaks nothing else. Errors end as one line on stderr and
an exit code: 0 done, 1 failed, 2 wrongly asked.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from common.errors import EventStreamError
from eventstream.local.errors import LocalRuntimeError
from eventstream.output import CommandError, note, print_error, print_text

DEBUG_VARIABLE = "EVENTSTREAM_DEBUG"
"""Set it to 1 to see the stack trace of an error that is a bug."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A command before its module is imported."""

    module: str
    summary: str
    """First line of its help; a test holds it to the command's own."""


COMMANDS: Mapping[str, Entry] = {
    "demo": Entry("demo", "Run the whole pipeline on generated traffic and check every number."),
    "dev": Entry("dev", "Run the pipeline on this machine."),
    "stop": Entry("dev", "Stop the local pipeline."),
    "doctor": Entry("dev", "Check that this machine can run the pipeline."),
    "invoke": Entry("invoke", "Call a function in this process."),
    "send": Entry("send", "Send one event, or a small file of events."),
    "load": Entry("load", "Load a file or generated traffic, fast and resumable."),
    "etl": Entry("etl", "Run the hourly ETL, or see what it did."),
    "metrics": Entry("query", "Show a series of a metric."),
    "types": Entry("query", "List the event types."),
    "anomalies": Entry("query", "List the anomalies that were found, newest first, and why."),
    "runs": Entry("query", "List the runs of the hourly ETL, newest first."),
    "sessions": Entry("sessions", "List sessions: those of a person, or those going on now."),
    "event": Entry("event", "Tell what became of an event; needs the event index."),
    "sql": Entry("sql", "Query the lake with SQL."),
    "quarantine": Entry("quarantine", "Look at lines that no retry can fix."),
    "failures": Entry("failures", "Look at batches that were given up."),
    "replay": Entry("replay", "Put on the stream again what could not be processed."),
    "keys": Entry("keys", "Make, list and revoke API keys."),
    "schemas": Entry("schemas", "Check the registered schemas of event types."),
    "events": Entry("events", "Write the sample events for `sam local invoke`."),
}
"""Every command, in the order of ``--help``."""


def load(name: str) -> TyperCommand | TyperGroup:
    """Import a command's module and build the command.

    Raises
    ------
    CommandError
        The module, or a package it needs, isn't installed.
    """
    module = COMMANDS[name].module
    try:
        return commands_of(module)[name]
    except ModuleNotFoundError as error:
        if error.name == _full_name(module):
            raise CommandError(f"this installation has no command `{name}`") from None
        raise CommandError(
            f"`eventstream {name}` needs the Python package {error.name}, which isn't installed: "
            "run `make setup`, or pip install -r requirements/local.txt"
        ) from None


def commands_of(module: str) -> dict[str, TyperCommand | TyperGroup]:
    """Import a module of commands and build them."""
    # Without markup typer writes help as plain paragraphs, which fit every window.
    holder = typer.Typer(callback=lambda: None, rich_markup_mode=None)
    importlib.import_module(_full_name(module)).register(holder)
    commands = dict(typer.main.get_group(holder).commands)
    for command in commands.values():
        _name_values(command)
    return commands  # type: ignore[return-value]


def _name_values(command: Any) -> None:  # noqa: ANN401 - types of typer's vendored click
    """Keep Python's types out of the help: ``--retries RETRIES``, not ``<int range>``."""
    for part in getattr(command, "commands", {}).values():
        _name_values(part)
    for param in command.params:
        if param.param_type_name == "argument":
            param.metavar = param.metavar or str(param.name).upper()
            param.display_type_rich = _no_type
        elif param.metavar is None and not param.is_flag:
            param.metavar = str(param.name).rpartition("_")[2].upper()


def _no_type(ctx: object) -> str:  # noqa: ARG001 - typer names the argument
    return ""


def _full_name(module: str) -> str:
    return f"eventstream.commands.{module}"


class LazyGroup(TyperGroup):
    """The root command: placeholders for ``--help``, the real command when one is called."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - typer's own, passed on
        super().__init__(**attributes)
        for name, entry in COMMANDS.items():
            self.add_command(TyperCommand(name, help=entry.summary, short_help=entry.summary))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:  # noqa: ANN401 - types of typer's vendored click
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name is not None and name in COMMANDS else command, rest

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - as above
        """Return the options with those for shell completion, needed once, at the end."""
        return sorted(super().get_params(ctx), key=lambda each: "completion" in str(each.name))


app = typer.Typer(cls=LazyGroup, pretty_exceptions_enable=False, rich_markup_mode=None)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print_text(f"eventstream {version('eventstream')}")
        raise typer.Exit


@app.callback(
    invoke_without_command=True,
    epilog="Every command takes --help and --json; --stack-name addresses a stack in AWS.",
)
def root(
    context: typer.Context,
    _version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Serverless event analytics: the same pipeline on this machine and in AWS.

    Example: eventstream dev --detach && eventstream send page_view --user ada
    """
    if context.invoked_subcommand is None:
        print_text(context.get_help())


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    argv
        Arguments after the program's name; those of the process when not given.
    """
    command = typer.main.get_command(app)
    try:
        result = command.main(args=argv, prog_name="eventstream", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:  # as in `eventstream metrics | head`; typer, too, ends with 1
        _leave_stdout()
        return 1
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE) == "1":
            raise
        _tell(error)
        return _exit_code(error)
    return result if isinstance(result, int) else 0


def _tell(error: Exception) -> None:
    if type(error).__name__ == "NoArgsIsHelpError":  # a group called without a command
        note(str(error))
    elif message := _describe(error):
        print_error(message)


def _leave_stdout() -> None:
    """Let what is still unwritten go nowhere, or Python complains of it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _exit_code(error: Exception) -> int:
    return int(getattr(error, "exit_code", 1))


def _describe(error: Exception) -> str:
    """Spell an error in one line; only bugs mention that they are bugs."""
    if isinstance(error, typer.TyperException):
        return _with_hint(error)
    if isinstance(error, CommandError | LocalRuntimeError | EventStreamError):
        return str(error)
    if isinstance(error, typer.Abort):
        return "aborted"
    kind = type(error)
    if kind.__module__.startswith(("botocore", "boto3")):
        return f"AWS refused: {error}"
    return f"{kind.__name__}: {error}. This is a bug; {DEBUG_VARIABLE}=1 shows where"


def _with_hint(error: typer.TyperException) -> str:
    message = error.format_message()
    context = getattr(error, "ctx", None)
    if context is None or not message:
        return message
    return f"{message} (see `{context.command_path} --help`)"
