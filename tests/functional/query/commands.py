"""Running the reading commands in this process, as the command line does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import pytest
import typer

from eventstream.output import CommandError


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Run(Protocol):
    def __call__(self, *arguments: str) -> Result: ...


def running(register: Callable[[typer.Typer], None], capsys: pytest.CaptureFixture[str]) -> Run:
    app = typer.Typer(callback=lambda: None)
    register(app)
    command = typer.main.get_command(app)

    def run(*arguments: str) -> Result:
        code, problem = 0, ""
        try:
            command.main(args=list(arguments), prog_name="eventstream", standalone_mode=False)
        except CommandError as error:
            code, problem = error.exit_code, str(error)
        except typer.TyperException as error:
            code, problem = 2, error.format_message()
        printed = capsys.readouterr()
        return Result(code, printed.out, printed.err + problem)

    return run
