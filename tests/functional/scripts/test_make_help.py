from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]


def on_a_terminal(**environment: str) -> str:
    """Return what ``make help`` shows on a terminal."""
    ours, theirs = pty.openpty()
    base = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    try:
        subprocess.run(
            ["make", "help"], cwd=ROOT, env={**base, **environment}, stdout=theirs, check=True
        )
    finally:
        os.close(theirs)
    with os.fdopen(ours, "rb") as shown:
        return shown.read1(100_000).decode()


def test_the_list_of_targets_is_bold_on_a_terminal_only() -> None:
    piped = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "  run " in piped.stdout
    assert "\x1b" not in piped.stdout
    assert "\x1b[1mrun " in on_a_terminal()


def test_no_color_is_honoured() -> None:
    shown = on_a_terminal(NO_COLOR="1")

    assert "  run " in shown
    assert "\x1b" not in shown
