"""Stopping the pipeline of a state folder from another process."""

import contextlib
import os
import signal
from collections.abc import Callable

from eventstream.local import emulator, pidfile
from eventstream.local.errors import LocalRuntimeError
from eventstream.local.state import StateFolder

STOP_TIMEOUT_S = 180.0
"""A function may run for its whole timeout before the pipeline can stop cleanly."""

QUIET_S = 3.0
"""How long a stop may take before a person is told what it waits for."""


def stop(state: StateFolder, tell: Callable[[str], None] = lambda _: None) -> list[str]:
    """Stop what runs on a state folder, cleanly.

    Parameters
    ----------
    state
        The state folder.
    tell
        Tells a person what takes time, and the last resort.

    Returns
    -------
    list[str]
        What was stopped; empty when nothing ran.

    Raises
    ------
    LocalRuntimeError
        It doesn't end in time.
    """
    stopped = []
    pid = pidfile.holder(state.dev_pid)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        if not _wait_for(state, pid, tell):
            raise LocalRuntimeError(
                f"the pipeline (pid {pid}) doesn't end after {STOP_TIMEOUT_S:.0f} s: "
                f"{_last_resort(pid)}; "
                f"see {state.logs / 'dev.log'}"
            )
        stopped.append(f"pipeline (pid {pid})")
    # An emulator that is still there was left by a process that was killed.
    left = pidfile.holder(state.emulator_pid)
    if left is not None and emulator.stop(state):
        stopped.append(f"emulator (pid {left})")
    return stopped


def _wait_for(state: StateFolder, pid: int, tell: Callable[[str], None]) -> bool:
    """Wait until the pipeline has ended; say whether it has."""
    if pidfile.wait_until_free(state.dev_pid, QUIET_S):
        return True
    left_s = STOP_TIMEOUT_S - QUIET_S
    tell(
        f"the pipeline (pid {pid}) finishes what is in flight; waiting up to {left_s:.0f} s more. "
        f"{_last_resort(pid).capitalize()}"
    )
    return pidfile.wait_until_free(state.dev_pid, left_s)


def _last_resort(pid: int) -> str:
    return (
        f"the last resort: `kill -9 {pid}`, then `eventstream stop` again, which has the emulator "
        "save; nothing that was accepted is lost"
    )
