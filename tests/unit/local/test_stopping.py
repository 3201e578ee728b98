"""Telling a person what a stop waits for, and stopping without anybody to tell."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from eventstream.local import pidfile, stopping
from eventstream.local.pipeline import Options
from eventstream.local.serve import _despite_a_dead_terminal, _Server
from eventstream.local.state import StateFolder


def dead(_: object) -> None:
    raise OSError(5, "Input/output error")


def test_a_stop_that_takes_long_names_the_pid_and_the_last_resort(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = StateFolder(tmp_path)
    lock = pidfile.take(state.dev_pid)
    assert lock is not None
    held = [lock]

    def tell(text: str) -> None:
        told.append(text)
        os.close(held.pop())

    told: list[str] = []
    monkeypatch.setattr(stopping, "QUIET_S", 0.0)
    monkeypatch.setattr(signal, "SIGTERM", 0)  # asks whether the process is there
    pidfile.write(lock, os.getpid())

    assert stopping.stop(state, tell) == [f"pipeline (pid {os.getpid()})"]

    [line] = told
    assert f"`kill -9 {os.getpid()}`, then `eventstream stop` again" in line


def test_nothing_is_told_when_nothing_runs(tmp_path: Path) -> None:
    told: list[str] = []

    assert stopping.stop(StateFolder(tmp_path), told.append) == []

    assert told == []


def test_what_a_dead_terminal_refuses_is_dropped() -> None:
    _despite_a_dead_terminal(dead)("anything")

    with pytest.raises(OSError, match="Input/output"):
        dead("anything")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_the_stop_is_asked_for_before_anybody_is_told(
    tmp_path: Path, number: signal.Signals
) -> None:
    asked: list[bool] = []

    async def run() -> None:
        server: _Server
        server = _Server(
            Options(tmp_path, StateFolder(tmp_path)),
            lambda *_: None,
            lambda _: asked.append(server._asked_to_stop.is_set()),
        )
        server._on_signal(number)
        # Neither may end the process at once: a closed terminal sends several.
        server._on_signal(signal.SIGHUP)
        server._on_signal(signal.SIGTERM)

    asyncio.run(run())

    assert asked == [True]
