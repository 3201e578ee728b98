"""Starting the pipeline in the background."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from eventstream.local import pidfile
from eventstream.local.emulator import tail
from eventstream.local.errors import AlreadyRunningError, LocalRuntimeError
from eventstream.local.serve import already_running
from eventstream.local.state import Running, StateFolder

START_TIMEOUT_S = 180.0


def start(state: StateFolder, arguments: Sequence[str], folder: Path) -> Running:
    """Start ``eventstream dev`` in the background and wait until it is ready.

    Parameters
    ----------
    state
        The state folder.
    arguments
        Arguments of the command.
    folder
        Where to run it.

    Returns
    -------
    Running
        What is running.

    Raises
    ------
    AlreadyRunningError
        A pipeline runs on this state folder.
    LocalRuntimeError
        It ended while starting; the message is its own.
    """
    if pidfile.holder(state.dev_pid) is not None:
        raise AlreadyRunningError(already_running(state))
    state.logs.mkdir(parents=True, exist_ok=True)
    output = state.logs / "detached.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "eventstream", "dev", *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_TIMEOUT_S
    while (running := state.running()) is None:
        if process.poll() is not None:
            lines = tail(output, 1) or [f"it ended with code {process.returncode}"]
            raise LocalRuntimeError(lines[-1].removeprefix("error: "))
        if time.monotonic() > deadline:
            raise LocalRuntimeError(f"it isn't ready after {START_TIMEOUT_S:.0f} s: see {output}")
        time.sleep(0.05)
    return running
