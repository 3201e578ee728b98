"""The scheduler: runs the stack's schedules.

The emulator fires schedules, too, but doesn't put the scheduled time into their input, and the
hour that is aggregated follows from that time. So schedules are handed over and run here.
A schedule that was due while the pipeline was down isn't made up for: the next run finds every
hour that changed meanwhile.
"""

import json
import logging
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from eventstream.local import handover, schedule
from eventstream.local.errors import TemplateError
from eventstream.local.schedule import Schedule
from eventstream.local.session import LocalSession

logger = logging.getLogger(__name__)

LONGEST_LOOK_BACK = timedelta(days=1)
_CHECK_S = 1.0
_ATTEMPTS = 10


@dataclass(frozen=True)
class Task:
    """A schedule and what it starts."""

    name: str
    schedule: Schedule
    state_machine: str
    input: str

    def input_at(self, due: datetime) -> str:
        """Return the input of a run, with the scheduler's keywords filled in.

        Source: "Adding context attributes in EventBridge Scheduler" in its user guide.
        """
        values = {
            "<aws.scheduler.scheduled-time>": f"{due.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "<aws.scheduler.schedule-arn>": f"local:schedule/{self.name}",
            "<aws.scheduler.execution-id>": str(uuid.uuid4()),
            "<aws.scheduler.attempt-number>": "1",
        }
        text = self.input
        for keyword, value in values.items():
            text = text.replace(keyword, value)
        return text

    def run_name(self, due: datetime) -> str:
        """Return the execution's name: one per due time, so that none runs twice."""
        return f"scheduled-{due.astimezone(UTC):%Y-%m-%dT%H-%M-%S}"


def parse(name: str, properties: Mapping[str, Any]) -> Task | None:
    """Read a schedule that the stack handed over; ``None`` when it is disabled.

    Raises
    ------
    TemplateError
        It starts something else than a state machine, or isn't understood.
    """
    if properties.get("State", "ENABLED") != "ENABLED":
        return None
    target = properties["Target"]
    if ":states:" not in target["Arn"]:
        raise TemplateError(f"{name}: the local scheduler starts state machines only")
    zone = properties.get("ScheduleExpressionTimezone", "UTC")
    when = schedule.parse(name, properties["ScheduleExpression"], zone)
    return Task(name, when, target["Arn"], target.get("Input", json.dumps({})))


class Scheduler:
    """Starts state machines when they are due.

    Parameters
    ----------
    session
        Session for the emulator.
    stack_name
        The deployed stack.
    """

    def __init__(self, session: LocalSession, stack_name: str) -> None:
        found = handover.read(session.client("ssm"), stack_name, handover.SCHEDULES)
        tasks = [parse(name, properties) for name, properties in found]
        self.tasks = [task for task in tasks if task is not None]
        self._states = session.client("stepfunctions")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        """Begin to look at the clock."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; executions that were started go on."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        checked = datetime.now(UTC)
        while not self._stop.wait(_CHECK_S):
            now = datetime.now(UTC)
            # A machine that has slept runs what was due last, not everything it has missed.
            since = max(checked, now - LONGEST_LOOK_BACK)
            for task in self.tasks:
                for due in task.schedule.due_between(since, now)[-1:]:
                    self._start(task, due)
            checked = max(checked, now)

    def _start(self, task: Task, due: datetime) -> None:
        """Start a run, with patience when the emulator doesn't take it."""
        for _ in range(_ATTEMPTS):
            try:
                self._states.start_execution(
                    stateMachineArn=task.state_machine,
                    name=task.run_name(due),
                    input=task.input_at(due),
                )
            except ClientError as error:
                if error.response["Error"]["Code"] == "ExecutionAlreadyExists":
                    return
                logger.warning("%s: %s", task.name, error)
            except BotoCoreError as error:
                logger.warning("%s: %s", task.name, error)
            else:
                logger.info("%s: started %s", task.name, task.run_name(due))
                return
            if self._stop.wait(_CHECK_S):
                return
