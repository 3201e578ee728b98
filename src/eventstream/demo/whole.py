"""The whole pipeline on generated traffic, with every number checked on the way."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from eventstream.demo.result import DemoResult, Timings, compare
from eventstream.etl.runs import Etl, range_input
from eventstream.lake import sql
from eventstream.lake.cache import LakeCache
from eventstream.load.client import HttpApi
from eventstream.load.job import Job, run_job
from eventstream.load.report import LoadReport
from eventstream.load.source import Generated
from eventstream.local import detached, pidfile, ports, stopping
from eventstream.local.emulator import tail
from eventstream.local.state import Running, StateFolder, find_project
from eventstream.output import CommandError, note
from eventstream.progress import progress
from eventstream.target import Target, from_running
from eventstream.traffic.generate import Plan

PARAMETERS = {"BatchWindowSeconds": "1"}
"""The stream's reader waits a second for a batch to fill instead of ten: nobody else writes."""

FIRST_USER_PORT = 1024
_POLL_S = 0.3
_LAKE_SQL = "SELECT event_type, count(*) AS n FROM events GROUP BY event_type"


class DemoFailedError(CommandError):
    """The pipeline did not do what the demo checks."""


def start(folder: StateFolder, port: int, parameters: Mapping[str, str]) -> Running:
    """Start a pipeline with an empty store in the background.

    Parameters
    ----------
    folder
        Its state folder.
    port
        The port to have; another one when it is taken.
    parameters
        Template parameters.

    Raises
    ------
    CommandError
        A pipeline runs on that folder already.
    """
    if pidfile.holder(folder.dev_pid) is not None:
        raise CommandError(
            f"a pipeline runs already on {folder.root}: "
            f"stop it with `eventstream stop --state {folder.root}`"
        )
    chosen = ports.free_port(port)
    if moved := moved_note(port, chosen):
        note(moved)
    arguments = ["--port", str(chosen), "--state", str(folder.root), "--fresh"]
    for name, value in parameters.items():
        arguments += ["--param", f"{name}={value}"]
    return detached.start(folder, arguments, find_project())


def moved_note(wanted: int, port: int | None) -> str:
    """Say that another port is used than the one that was asked for; empty when it is that one."""
    if wanted in (0, port):
        return ""
    why = "reserved for the system" if wanted < FIRST_USER_PORT else "taken by another program"
    return f"port {wanted} is {why}: serving on {port} instead"


def stop_was_clean(folder: StateFolder) -> bool:
    """Say whether the pipeline of a folder, which runs no more, was stopped and did not die.

    One that is killed leaves ``dev.json``; one that fails doesn't come to log that it stopped.
    """
    last = tail(folder.logs / "dev.log", 1)
    return not folder.dev_file.exists() and bool(last) and last[0].split()[-1] == "stopped"


def stop(folder: StateFolder) -> None:
    """Stop the pipeline of a folder, cleanly."""
    stopping.stop(folder)


def load(running: Running, plan: Plan, folder: Path) -> LoadReport:
    """Send the traffic of a plan; all of it must be accepted.

    Raises
    ------
    DemoFailedError
        Some of it was not.
    """
    with HttpApi(running.url) as api:
        job = Job(Generated(plan), api, "demo", folder / "loads", datetime.now(UTC), restart=True)
        report, _ = run_job(job)
    if not report.clean:
        reasons = ", ".join(report.reasons) or report.problem
        raise DemoFailedError(
            f"{report.sent - report.accepted} of {report.sent} events were not accepted: {reasons}"
        )
    return report


def wait_for_lake(
    target: Target,
    expected: int,
    cache: Path,
    timeout_s: float,
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Counter[str]:
    """Wait until the lake holds so many distinct events, and count them by type.

    Raises
    ------
    DemoFailedError
        They are not there in time.
    """
    lake = LakeCache(target.client("s3"), target.resource("LakeBucket"), cache)
    deadline, seen = now() + timeout_s, 0
    with progress("in the lake", expected) as shown:
        while True:
            with sql.run(_LAKE_SQL, lake) as answer:
                counts = Counter({str(name): int(number) for name, number in answer.rows})
            shown.advance(counts.total() - seen)
            seen = counts.total()
            if seen >= expected:
                return counts
            if now() > deadline:
                raise DemoFailedError(
                    f"{seen:,} of {expected:,} events reached the lake in {timeout_s:.0f} s"
                )
            sleep(_POLL_S)


def run_etl(target: Target, plan: Plan, timeout_s: float) -> Etl:
    """Aggregate every hour of a plan.

    Raises
    ------
    EtlFailedError
        The execution did not succeed.
    """
    machine = Etl(target)
    execution = machine.start(range_input(plan.starts_at, plan.ends_at))
    with progress("hours aggregated", plan.hours) as shown:
        counter = machine.hour_counter(execution, (plan.starts_at, plan.ends_at), shown.advance)
        machine.wait(execution, timeout_s, counter)
    return machine


def run(
    running: Running, plan: Plan, folder: StateFolder, timings: Timings, timeout_s: float
) -> DemoResult:
    """Load, wait, aggregate and compare.

    Raises
    ------
    DemoFailedError, EtlFailedError
        A step failed or took too long.
    """
    target = from_running(running)
    with timings.step("load"):
        report = load(running, plan, folder.root)
    with timings.step("reach the lake"):
        in_lake = wait_for_lake(target, report.accepted, folder.root / "sql", timeout_s)
    with timings.step("aggregate"):
        machine = run_etl(target, plan, timeout_s)
    with timings.step("compare"):
        return compare(plan, report, in_lake, machine.results)
