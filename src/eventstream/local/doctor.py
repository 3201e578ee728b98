"""Checking that this machine can run the pipeline, and how the one that runs is."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from eventstream.local import clock_guard, emulator, leftovers, pidfile, ports
from eventstream.local.errors import TemplateError
from eventstream.local.state import Running, StateFolder
from eventstream.target import Target, from_running

OLDEST_PYTHON = (3, 11)
LAMBDA_PYTHON = "python3.12"
LEAST_FREE_BYTES = 1024**3
_COMMAND_TIMEOUT_S = 20.0
_AGE_WINDOW = timedelta(minutes=5)
_OLD_AGE_S = 120.0


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes
    ----------
    verdict
        ``ok``, ``note`` (something that is needed for some things only) or ``problem``.
    fix
        What to do about it.
    """

    check: str
    verdict: str
    found: str
    fix: str = ""


def examine(state: StateFolder, project: Path, port: int) -> list[Finding]:
    """Run every check.

    Parameters
    ----------
    state
        State folder of the pipeline.
    project
        The work tree.
    port
        The port that a pipeline would listen on.
    """
    running = state.running()
    findings = [
        _python(),
        _emulator_version(),
        _template(project),
        _folder(state),
        _disk(state),
        _clock(state),
        _port(port, running),
        _emulator(state),
    ]
    if running is None:
        findings.append(_not_running(state))
    else:
        target = from_running(running)
        findings += [_guarded(check, target) for check in (_stack, _iterator_age)]
    return [*findings, _lambda_python(), _sam(project)]


def _python() -> Finding:
    found = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info >= OLDEST_PYTHON:
        return Finding("python", "ok", found)
    return Finding("python", "problem", found, "make PYTHON=python3.12 clean run")


def _emulator_version() -> Finding:
    try:
        return Finding("emulator package", "ok", f"ministack {version('ministack')}")
    except PackageNotFoundError:
        return Finding("emulator package", "problem", "not installed", "make run installs it")


def _template(project: Path) -> Finding:
    from eventstream.local import function_template, template
    from eventstream.local.pipeline import CODE_BUCKET, REGION, STACK_NAME

    code = function_template.package(project, CODE_BUCKET)
    try:
        plan = template.adapt(project, stack_name=STACK_NAME, region=REGION, code=code)
    except TemplateError as error:
        return Finding("template", "problem", str(error), "change template.yaml")
    return Finding("template", "ok", f"{len(plan.template['Resources'])} resources")


def _folder(state: StateFolder) -> Finding:
    place = state.root if state.root.exists() else state.root.parent
    if os.access(place, os.W_OK):
        return Finding("state folder", "ok", str(state.root))
    return Finding("state folder", "problem", f"{place} isn't writable", "choose one with --state")


def _disk(state: StateFolder) -> Finding:
    place = state.root if state.root.exists() else state.root.parent
    free = shutil.disk_usage(place).free
    used = sum(file.stat().st_size for file in state.root.rglob("*") if file.is_file())
    found = f"{free / 1024**3:.1f} GiB free, {used / 1024**2:.0f} MiB used"
    if free >= LEAST_FREE_BYTES:
        return Finding("disk", "ok", found)
    return Finding(
        "disk", "problem", found, "free some; `eventstream dev --fresh` empties the store"
    )


def _clock(state: StateFolder) -> Finding:
    behind_s = clock_guard.latest_s(state.clock_file) - time.time()
    if behind_s <= clock_guard.SLACK_S:
        return Finding("clock", "ok", "not behind what the pipeline has seen")
    found = f"{behind_s:.0f} s behind what the pipeline has seen: POST requests get 503 until then"
    return Finding("clock", "problem", found, "wait, or begin with `eventstream dev --fresh`")


def _port(port: int, running: Running | None) -> Finding:
    if running is not None and running.url.endswith(f":{port}"):
        return Finding("port", "ok", f"{port}: this pipeline")
    if port == 0 or ports.is_free(port):
        return Finding("port", "ok", f"{port}: free")
    return Finding("port", "problem", f"{port}: another program", "choose one with --port")


def _emulator(state: StateFolder) -> Finding:
    from eventstream.local.pipeline import CODE_BUCKET

    found = emulator.find(state)
    if leftovers.is_lost(state, CODE_BUCKET):
        return Finding("emulator", "problem", leftovers.LOST, leftovers.BEGIN_ANEW)
    if found is None:
        return Finding("emulator", "ok", "not running")
    answer = emulator.health(found.port)
    if answer is None:
        fix = f"see {state.logs / emulator.LOG_NAME}; `eventstream stop` ends it"
        return Finding("emulator", "problem", f"pid {found.pid} doesn't answer", fix)
    where = f"pid {found.pid} on port {found.port}, version {answer.get('version')}"
    if pidfile.holder(state.dev_pid) is None:
        return Finding(
            "emulator", "note", f"{where}, left alone", "`eventstream dev` takes it over"
        )
    return Finding("emulator", "ok", where)


def _not_running(state: StateFolder) -> Finding:
    pid = pidfile.holder(state.dev_pid)
    if pid is not None:
        return Finding("pipeline", "note", f"starting or stopping (pid {pid})", "wait")
    return Finding("pipeline", "note", "not running", "start it with `eventstream dev`")


def _guarded(check: Callable[[Target], Finding], target: Target) -> Finding:
    try:
        return check(target)
    except (BotoCoreError, ClientError) as error:
        return Finding(check.__name__.strip("_"), "problem", str(error), "see the logs")


def _stack(target: Target) -> Finding:
    [stack] = target.client("cloudformation").describe_stacks(StackName=target.stack_name)["Stacks"]
    status = stack["StackStatus"]
    if status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        return Finding("stack", "ok", f"{target.stack_name}: {status}")
    return Finding("stack", "problem", status, "start again; with --fresh if that doesn't help")


def _iterator_age(target: Target) -> Finding:
    """Look whether the poller publishes, and how far behind it says it is."""
    now = datetime.now(UTC)
    points = target.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="IteratorAge",
        StartTime=now - _AGE_WINDOW,
        EndTime=now,
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    if not points:
        return Finding("poller", "problem", "publishes nothing", "restart `eventstream dev`")
    latest = max(points, key=lambda point: point["Timestamp"])
    age_s = latest["Maximum"] / 1000
    since_s = time.time() - latest["Timestamp"].timestamp()
    if age_s > _OLD_AGE_S or since_s > _AGE_WINDOW.total_seconds() / 2:
        fix = "see logs/dev.log: a batch may be failing"
        return Finding("poller", "problem", f"{age_s:.0f} s behind", fix)
    return Finding("poller", "ok", f"{age_s:.0f} s behind at most in the last minute")


def _lambda_python() -> Finding:
    found = _first_line([LAMBDA_PYTHON, "--version"])
    if found is not None:
        return Finding("python of Lambda", "ok", found)
    fix = "needed by `make build` and `make test-artifacts` only: install it, pyenv or uv find it"
    return Finding("python of Lambda", "note", f"{LAMBDA_PYTHON} isn't on the PATH", fix)


def _sam(project: Path) -> Finding:
    for command in (str(project / ".tools" / "sam" / "bin" / "sam"), "sam"):
        found = _first_line([command, "--version"])
        if found is not None:
            return Finding("SAM CLI", "ok", found)
    return Finding("SAM CLI", "note", "not installed", "needed to deploy; `make build` installs it")


def _first_line(command: list[str]) -> str | None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return (done.stdout or done.stderr).strip().splitlines()[0]
