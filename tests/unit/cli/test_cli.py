from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from common.errors import StoreError
from eventstream import cli
from eventstream.local.errors import LocalRuntimeError
from eventstream.output import CommandError, UsageProblemError

ROOT = Path(__file__).parents[3]


def a_command(monkeypatch: pytest.MonkeyPatch, raises: BaseException | None) -> None:
    """Put a command in the place of ``send`` that does nothing but raise."""

    def command() -> None:
        if raises is not None:
            raise raises

    def register(app: typer.Typer) -> None:
        app.command("send")(command)

    module = SimpleNamespace(register=register)
    monkeypatch.setattr(cli.importlib, "import_module", lambda _name: module)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (CommandError("the load failed"), 1, "error: the load failed\n"),
        (UsageProblemError("--hour is wrong"), 2, "error: --hour is wrong\n"),
        (LocalRuntimeError("no pipeline"), 1, "error: no pipeline\n"),
        (StoreError("dynamodb:Query failed"), 1, "error: dynamodb:Query failed\n"),
        (typer.Abort(), 1, "error: aborted\n"),
        (typer.Exit(3), 3, ""),
        (KeyboardInterrupt(), 130, ""),
        (None, 0, ""),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException | None,
    code: int,
    line: str,
) -> None:
    a_command(monkeypatch, error)

    assert cli.main(["send"]) == code
    assert capsys.readouterr().err == line


def test_a_bug_is_one_line_too_and_says_how_to_see_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a_command(monkeypatch, ZeroDivisionError("division by zero"))

    assert cli.main(["send"]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: ZeroDivisionError: division by zero. This is a bug")
    assert "Traceback" not in printed

    monkeypatch.setenv(cli.DEBUG_VARIABLE, "1")
    with pytest.raises(ZeroDivisionError):
        cli.main(["send"])


def test_an_error_of_aws_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from botocore.exceptions import ClientError

    refusal: Any = {"Error": {"Code": "AccessDenied", "Message": "not you"}}
    a_command(monkeypatch, ClientError(refusal, "DescribeStacks"))

    assert cli.main(["send"]) == 1
    assert "AWS refused: An error occurred (AccessDenied)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sned"], "Did you mean 'send'?"),
        (["nonsense"], "No such command 'nonsense'"),
        (["--nonsense"], "No such option"),
        (["events", "write", "--nonsense"], "`eventstream events write --help`"),
    ],
)
def test_wrong_use_exits_2_with_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert cli.main(arguments) == 2

    printed = capsys.readouterr()
    assert told in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def test_without_arguments_it_shows_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0

    printed = capsys.readouterr().out
    assert [name for name in cli.COMMANDS if name not in printed] == []


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("eventstream 0.")


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_the_summary_of_a_command_is_the_first_line_of_its_help(name: str) -> None:
    command = cli.load(name)

    assert (command.help or "").splitlines()[0] == cli.COMMANDS[name].summary


def test_no_module_of_commands_has_one_that_the_list_lacks() -> None:
    folder = ROOT / "src" / "eventstream" / "commands"
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}

    assert modules == {entry.module for entry in cli.COMMANDS.values()}
    for module in modules:
        registered = cli.commands_of(module)
        listed = {name for name, entry in cli.COMMANDS.items() if entry.module == module}
        assert set(registered) == listed


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_has_an_example_and_json(name: str) -> None:
    command = cli.load(name)
    parts = list(getattr(command, "commands", {}).values()) or [command]

    for part in parts:
        assert "Example: eventstream " in (part.help or ""), part.name
        assert "--json" in [option for each in part.params for option in each.opts], part.name


def test_a_command_whose_package_is_missing_says_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(_name: str) -> object:
        raise ModuleNotFoundError("No module named 'duckdb'", name="duckdb")

    monkeypatch.setattr(cli.importlib, "import_module", missing)

    assert cli.main(["sql"]) == 1
    assert "needs the Python package duckdb" in capsys.readouterr().err


def test_a_command_that_is_not_installed_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> object:
        raise ModuleNotFoundError(name, name=name)

    monkeypatch.setattr(cli.importlib, "import_module", missing)

    assert cli.main(["sql"]) == 1
    assert "this installation has no command `sql`" in capsys.readouterr().err


def test_help_imports_nothing_that_takes_long() -> None:
    program = (
        "import sys; from eventstream.cli import main; main(['--help']); "
        "heavy = {'boto3', 'pydantic', 'duckdb', 'pyarrow', 'aiohttp', 'ministack'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "[]"
