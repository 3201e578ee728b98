"""Stopping the pipeline of a state folder from another process."""

import contextlib
import os
import signal

from eventstream.local import emulator, pidfile
from eventstream.local.errors import LocalRuntimeError
from eventstream.local.state import StateFolder

STOP_TIMEOUT_S = 180.0
"""A function may run for its whole timeout before the pipeline can stop cleanly."""


def stop(state: StateFolder) -> list[str]:
    """Stop what runs on a state folder, cleanly.

    Parameters
    ----------
    state
        The state folder.

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
        if not pidfile.wait_until_free(state.dev_pid, STOP_TIMEOUT_S):
            raise LocalRuntimeError(
                f"the pipeline (pid {pid}) doesn't end after {STOP_TIMEOUT_S:.0f} s: "
                f"see {state.logs / 'dev.log'}"
            )
        stopped.append(f"pipeline (pid {pid})")
    # An emulator that is still there was left by a process that was killed.
    left = pidfile.holder(state.emulator_pid)
    if left is not None and emulator.stop(state):
        stopped.append(f"emulator (pid {left})")
    return stopped
