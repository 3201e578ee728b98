"""The processes that functions run in, from outside: by what the kernel and CloudWatch say."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from e2e.local_pipeline import LocalPipeline
from fakes.waiting import wait_for

ESTABLISHED = "01"


@dataclass(frozen=True)
class FunctionProcess:
    """The process of one function of a running pipeline; another one after each death."""

    pipeline: LocalPipeline
    function: str
    handler: str

    def kill_at_work(self, wait: Callable[[], object]) -> None:
        """Kill it with ``kill -9``, once it has begun to write and after a pause."""
        pid = wait_for(f"process of {self.function} that writes", self.writing, 120.0, 0.01)
        wait()
        os.kill(pid, signal.SIGKILL)

    def writing(self) -> int | None:
        """Return its id once it has called a store; what only starts has called none."""
        stores = int(self.pipeline.started["emulator_url"].rpartition(":")[2])
        for pid in self.pipeline.workers():
            try:
                if self._is_ours(pid) and stores in _connected_ports(pid):
                    return pid
            except OSError:  # it is gone
                continue
        return None

    def _is_ours(self, pid: int) -> bool:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return f"_HANDLER={self.handler}".encode() in variables and not _is_dead(pid)

    def metric(self, name: str) -> int:
        """Add up a metric of AWS/Lambda: Invocations, or the Errors among them."""
        target, now = self.pipeline.target(), datetime.now(UTC)
        found = target.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=name,
            Dimensions=[{"Name": "FunctionName", "Value": target.resource(self.function)}],
            StartTime=now - timedelta(hours=3),
            EndTime=now + timedelta(minutes=1),
            Period=60,
            Statistics=["Sum"],
        )["Datapoints"]
        return int(sum(point["Sum"] for point in found))


def _is_dead(pid: int) -> bool:
    """Say whether it is dead already, and only not collected yet."""
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state in "ZX"


def _connected_ports(pid: int) -> set[int]:
    """Return the ports that a process has connections to."""
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets.add(descriptor.readlink().name)
        except OSError:  # closed meanwhile
            continue
    rows = [row.split() for row in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return {
        int(row[2].rpartition(":")[2], 16)
        for row in rows
        if row[3] == ESTABLISHED and f"socket:[{row[9]}]" in sockets
    }
