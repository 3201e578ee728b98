from __future__ import annotations

import io
import json

import pytest

from eventstream import output, progress
from fakes.event_api import FakeClock


def test_json_is_one_document_with_readable_text(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"name": "Zoë", "n": 1})

    printed = capsys.readouterr().out
    assert json.loads(printed) == {"name": "Zoë", "n": 1}
    assert "Zoë" in printed


def test_a_table_in_a_pipe_has_every_column_whole(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a" * 60
    output.print_table(
        ["type", "count", "mean", "final"], [[name, 12345, 1.25, True], ["b"] + [None] * 3]
    )

    printed = capsys.readouterr().out
    assert name in printed
    assert "12,345" in printed
    assert "1.2" in printed
    assert "yes" in printed
    assert "\x1b[" not in printed


def test_text_that_looks_like_markup_is_printed_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.print_table(["[bold]name"], [["[red]x[/red]"]])
    output.print_error("in [link=a]b[/link]")

    printed = capsys.readouterr()
    assert "[red]x[/red]" in printed.out
    assert "[bold]name" in printed.out
    assert "error: in [link=a]b[/link]" in printed.err


def test_where_no_table_fits_each_row_is_lines_with_whole_cells(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "PIPE_WIDTH", 40)
    name = "c5fd4c5e-7a10-4b8e-9d55-0a1f6b2c3d4e"

    output.print_table(("execution", "took"), [(name, "1.0 s"), ("b", None)], title="Executions")

    assert capsys.readouterr().out == (
        f"Executions\n\nexecution  {name}\ntook       1.0 s\n\nexecution  b\ntook       -\n"
    )


class ClosedTerminal(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


def test_what_is_told_to_a_terminal_that_was_closed_stops_no_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stderr", ClosedTerminal())

    output.note("going on")
    output.print_error("this failed")


def test_an_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_error("first\n  second " + "long " * 60)

    assert capsys.readouterr().err.count("\n") == 1


def test_without_a_terminal_progress_is_a_line_every_few_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = FakeClock()
    with progress.progress("loading", 1000, now=clock) as shown:
        for _ in range(10):
            clock.sleep(1.0)
            shown.advance(50)

    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "loading: 250 of 1,000 (25 %), 50/s, about 15 s left",
        "loading: 500 of 1,000 (50 %), 50/s, about 10 s left",
    ]


def test_progress_of_unknown_length_tells_how_much_and_how_fast(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = FakeClock()
    with progress.progress("reading", None, now=clock) as shown:
        clock.sleep(10.0)
        shown.advance(500)

    assert capsys.readouterr().err == "reading: 500, 50/s\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("no_color", ["", "1"])
def test_on_a_terminal_progress_is_a_bar_and_no_color_is_honoured(
    monkeypatch: pytest.MonkeyPatch, no_color: str
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", no_color)

    with progress.progress("loading", 100) as shown:
        shown.advance(50)
    output.print_error("no")

    text = terminal.getvalue()
    assert "loading" in text
    assert ("\x1b[1;31merror" in text) is not bool(no_color)
