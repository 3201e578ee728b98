from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from eventstream.cli import COMMANDS, load

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()


def section(command: str, page: str = PAGE) -> str:
    """Return the text under a command's heading, up to the next command."""
    found = re.search(
        rf"^#+ `{re.escape(command)}`\n(.*?)(?=^#+ `eventstream |\Z)",
        page,
        re.DOTALL | re.MULTILINE,
    )
    return found[1] if found else ""


def all_commands() -> list[tuple[str, Any]]:
    found = []
    for name in COMMANDS:
        command = load(name)
        parts = getattr(command, "commands", {}) or {"": command}
        found += [(f"eventstream {name} {part}".strip(), of) for part, of in parts.items()]
    return found


def undocumented(command: str, params: list[Any], page: str = PAGE) -> list[str]:
    """Name the options that neither the command's section nor the table of shared ones has."""
    text = section(command, page) + page[: page.index("\n## ")]
    options = [option for each in params for option in (*each.opts, *each.secondary_opts)]
    return [
        name
        for name in options
        if name.startswith("-") and not re.search(rf"(?<!\w){re.escape(name)}(?![\w-])", text)
    ]


@pytest.mark.parametrize(
    ("name", "command"), [pytest.param(*each, id=each[0]) for each in all_commands()]
)
def test_every_command_is_documented_with_an_example_and_its_options(
    name: str, command: Any
) -> None:
    text = section(name)

    assert re.search(rf"```bash\n(.*\n)*?.*\b{name}\b", text), f"{name} has no example"
    assert undocumented(name, command.params) == []


def test_a_missing_command_or_option_is_noticed() -> None:
    page = "# x\n\n## `eventstream send`\n\n--username\n\n## `eventstream other`\n\n--user\n"

    assert section("eventstream load", page) == ""
    assert "--user" in undocumented("eventstream send", load("send").params, page)


def test_no_section_is_of_a_command_that_is_gone() -> None:
    documented = set(re.findall(r"^#+ `(eventstream .*?)`$", PAGE, re.MULTILINE))
    groups = {f"eventstream {name}" for name in COMMANDS}

    assert documented == {name for name, _ in all_commands()} | groups


def test_every_example_of_a_help_text_is_a_command_that_exists() -> None:
    for name, command in all_commands():
        for line in re.findall(r"Example: (eventstream .*)", command.help or ""):
            assert line.split()[1] in COMMANDS, name
