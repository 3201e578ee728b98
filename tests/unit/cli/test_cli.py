from __future__ import annotations

import re
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
    monkeypatch.setattr(cli, "importlib", SimpleNamespace(import_module=lambda _name: module))


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


def helps() -> list[tuple[str, ...]]:
    parts = [(name, part) for name in cli.COMMANDS for part in groups(name)]
    return [(), *((name,) for name in cli.COMMANDS), *parts]


def groups(name: str) -> list[str]:
    return list(getattr(cli.load(name), "commands", {}))


@pytest.mark.parametrize("names", [pytest.param(each, id=" ".join(each)) for each in helps()])
def test_help_speaks_no_python_and_fits_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    assert cli.main([*names, "--help"]) == 0

    printed = capsys.readouterr().out
    assert re.findall(r"<[a-z]\w*( range)?>|\[\[", printed) == []
    assert max(len(line) for line in printed.splitlines()) <= 80


def test_help_names_the_values_of_options_and_completion_comes_last(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cli.main(["etl", "run", "--help"])
    assert "--timeout SECONDS" in capsys.readouterr().out

    cli.main(["--help"])
    printed = capsys.readouterr().out
    assert printed.index("--version") < printed.index("--help") < printed.index("--install-comp")


def test_an_option_without_a_name_for_its_value_gets_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(at: int, most_retries: int = typer.Option(1, "--most-retries", min=0)) -> None:
        """Do nothing."""

    module = SimpleNamespace(register=lambda app: app.command("send")(command))
    monkeypatch.setattr(cli, "importlib", SimpleNamespace(import_module=lambda _name: module))

    assert cli.main(["send", "--help"]) == 0
    printed = capsys.readouterr().out
    assert "--most-retries RETRIES" in printed
    assert "  AT " in printed
    assert "int" not in printed


@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_reader_of_stdout_that_has_left_is_no_bug(lines: int) -> None:
    program = (
        "import sys; from eventstream import cli; from eventstream.output import print_text; "
        "from types import SimpleNamespace as Module; "
        f"command = lambda: [print_text('x' * 100) for _ in range({lines})]; "
        "register = lambda app: app.command('send')(command); "
        "cli.importlib = Module(import_module=lambda _: Module(register=register)); "
        "sys.stdin.readline(); sys.exit(cli.main(['send']))"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=pipe, stdout=pipe, stderr=pipe
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        running.stdin.write(b"go on\n")
        running.stdin.close()
        told = running.stderr.read()

    assert (running.returncode, told) == (1, b"")


@pytest.mark.parametrize("name", ["etl", "events"])
def test_a_group_without_a_command_shows_its_help(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert cli.main([name]) == 2

    printed = capsys.readouterr().err
    assert printed.startswith(f"Usage: eventstream {name} [OPTIONS] COMMAND")
    assert "\nCommands:\n" in printed


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

    monkeypatch.setattr(cli, "importlib", SimpleNamespace(import_module=missing))

    assert cli.main(["sql"]) == 1
    assert "needs the Python package duckdb" in capsys.readouterr().err


def test_a_command_that_is_not_installed_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> object:
        raise ModuleNotFoundError(name, name=name)

    monkeypatch.setattr(cli, "importlib", SimpleNamespace(import_module=missing))

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
