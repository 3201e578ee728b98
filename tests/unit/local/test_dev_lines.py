"""Lines that `eventstream dev` prints at its start."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from eventstream.commands.dev import _first_event, _not_simulated
from eventstream.local.state import Running, StateFolder, state_folder

RUNNING = Running("http://127.0.0.1:3000", "", 1, None, "eu-central-1", "s", "p", "now")


def test_what_is_not_simulated_is_one_line_that_names_what_is_alike_once() -> None:
    queries = {f"NamedQuery{number}": "kept by the console" for number in range(8)}

    line = _not_simulated({**queries, "Layer": "imported from the work tree"})

    assert line == ("not simulated here: NamedQuery0 and 7 more like it, Layer; see docs/local.md")


@pytest.mark.parametrize("parameters", [{}, {"RequireApiKey": "false"}])
def test_the_first_event_needs_no_key_where_none_is_required(parameters: dict[str, str]) -> None:
    lines = _first_event(replace(RUNNING, parameters=parameters), state_folder())

    assert lines[0] == "Send a first event:"
    assert "authorization" not in "".join(lines)


def test_the_first_event_comes_with_a_key_where_one_is_required(tmp_path: Path) -> None:
    needed = replace(RUNNING, parameters={"RequireApiKey": "true"})
    elsewhere = StateFolder(tmp_path / "a state")

    _, make, curl = _first_event(needed, state_folder())
    _, make_there, _ = _first_event(needed, elsewhere)

    assert "EVENTSTREAM_API_KEY=$(eventstream keys create" in make
    assert "--state" not in make
    assert f"--state '{elsewhere.root}'" in make_there
    assert "authorization: Bearer $EVENTSTREAM_API_KEY" in shlex.split(curl)
