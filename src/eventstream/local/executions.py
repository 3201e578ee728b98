"""Executions of state machines that are running when the pipeline stops."""

import time
from collections.abc import Iterable
from typing import Any

STOPPED_ERROR = "LocalPipelineStopped"
_CHECK_S = 0.1


def finish(states: Any, resources: Iterable[str], timeout_s: float) -> int:  # noqa: ANN401
    """Wait for running executions; end those that are still running after that.

    The emulator would keep them as running for ever: nobody continues them at its next start.

    Parameters
    ----------
    states
        Step Functions client.
    resources
        Physical names of the stack's resources; state machines are known by their ARN.
    timeout_s
        How long to wait.

    Returns
    -------
    int
        How many were ended.
    """
    machines = [name for name in resources if ":stateMachine:" in name]
    deadline = time.monotonic() + timeout_s
    while (running := _running(states, machines)) and time.monotonic() < deadline:
        time.sleep(_CHECK_S)
    for execution in running:
        states.stop_execution(
            executionArn=execution,
            error=STOPPED_ERROR,
            cause="The local pipeline was stopped. Running it again is safe.",
        )
    return len(running)


def _running(states: Any, machines: Iterable[str]) -> list[str]:  # noqa: ANN401
    return [
        execution["executionArn"]
        for machine in machines
        for page in states.get_paginator("list_executions").paginate(
            stateMachineArn=machine, statusFilter="RUNNING"
        )
        for execution in page["executions"]
    ]
