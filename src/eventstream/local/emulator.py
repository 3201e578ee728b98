"""The emulator: ministack, a program of its own that holds the store.

It outlives the process that started it when that one is killed: the lock of its pid file is its
own. The next start finds it and takes it over, with everything that is in it. It writes its state
to disk at a clean stop only, so it is ended by a signal and given time.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from eventstream.local import pidfile, ports
from eventstream.local.errors import EmulatorError
from eventstream.local.state import StateFolder, write_atomically

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 60.0
HEALTH_PATH = "/_ministack/health"
LOG_NAME = "emulator.log"


@dataclass(frozen=True)
class Emulator:
    """A running emulator.

    Attributes
    ----------
    pid
        Its process.
    port
        Its loopback port.
    adopted
        Whether an earlier start left it running.
    """

    pid: int
    port: int
    adopted: bool = False

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{ports.HOST}:{self.port}"


def start(state: StateFolder, region: str) -> Emulator:
    """Start the emulator of a state folder, or take over the one that runs.

    Parameters
    ----------
    state
        The state folder; the emulator keeps everything under it.
    region
        AWS region it plays.

    Returns
    -------
    Emulator
        The emulator; `wait_until_healthy` tells when it answers.

    Raises
    ------
    EmulatorError
        One is running that neither answers nor stops.
    """
    running = find(state)
    if running is not None:
        if _is_ours(health(running.port)):
            return running
        stop(state)
    lock = pidfile.take(state.emulator_pid)
    if lock is None:
        raise EmulatorError(f"{state.emulator_pid} is held by another process: try again")
    # Code that an earlier emulator unpacked; this one unpacks its own.
    shutil.rmtree(state.temporary, ignore_errors=True)
    for folder in (state.store, state.store / "s3", state.temporary, state.logs):
        folder.mkdir(parents=True, exist_ok=True)
    port = ports.free_port(_last_port(state))
    try:
        with (state.logs / LOG_NAME).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "ministack"],
                env=environment(state, port, region),
                cwd=state.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                # Ctrl-C in the terminal must not reach it before the pipeline has stopped.
                start_new_session=True,
            )
        pidfile.write(lock, process.pid)
        # Collects it when it ends, however long that takes.
        threading.Thread(target=process.wait, name="emulator", daemon=True).start()
    finally:
        # The child holds the lock now; it goes when the child ends.
        os.close(lock)
    write_atomically(state.emulator_file, json.dumps({"port": port}) + "\n")
    return Emulator(process.pid, port)


def environment(state: StateFolder, port: int, region: str) -> dict[str, str]:
    """Return the emulator's environment, which its function processes inherit.

    Nothing of the user's own environment is in it but PATH and the language: no AWS profile, no
    proxy, no PYTHONPATH may reach a function.
    """
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return {
        **kept,
        "HOME": str(state.root),
        "TMPDIR": str(state.temporary),
        "TZ": "UTC",
        "BIND_HOST": ports.HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "localhost",
        "MINISTACK_REGION": region,
        "LOG_LEVEL": "WARNING",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state.store),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state.store / "s3"),
        "LAMBDA_EXECUTOR": "local",
        # Neither containers nor the two listeners that have nothing to do with this pipeline.
        "DOCKER_HOST": f"unix://{state.root}/no-docker.sock",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # Inherited by the functions: where their AWS calls go, and nowhere else.
        "AWS_ENDPOINT_URL": f"http://{ports.HOST}:{port}",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def find(state: StateFolder) -> Emulator | None:
    """Return the emulator that runs on a state folder, answering or not."""
    pid = pidfile.holder(state.emulator_pid)
    port = _last_port(state)
    if pid is None or port is None:
        return None
    return Emulator(pid, port, adopted=True)


def wait_until_healthy(emulator: Emulator, state: StateFolder) -> None:
    """Wait until the emulator answers.

    Raises
    ------
    EmulatorError
        It ended, or doesn't answer in time; the message quotes the end of its log.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _is_ours(health(emulator.port)):
        if pidfile.holder(state.emulator_pid) is None:
            raise EmulatorError(f"the emulator ended while starting: {_last_words(state)}")
        if time.monotonic() > deadline:
            raise EmulatorError(
                f"the emulator doesn't answer on port {emulator.port} after "
                f"{START_TIMEOUT_S:.0f} s: see {state.logs / LOG_NAME}"
            )
        time.sleep(0.02)


def health(port: int) -> dict[str, object] | None:
    """Return what the emulator says about itself; ``None`` when it doesn't answer."""
    connection = http.client.HTTPConnection(ports.HOST, port, timeout=5)
    try:
        connection.request("GET", HEALTH_PATH)
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else None


def _is_ours(answer: dict[str, object] | None) -> bool:
    """Say whether the installed version answers: another may keep its state differently."""
    return answer is not None and answer.get("version") == version("ministack")


def stop(state: StateFolder, timeout_s: float = STOP_TIMEOUT_S) -> bool:
    """Stop the emulator of a state folder; it saves its state first.

    Returns
    -------
    bool
        Whether one was running.

    Raises
    ------
    EmulatorError
        It doesn't end in time. It is not killed: that would lose its state.
    """
    pid = pidfile.holder(state.emulator_pid)
    if pid is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    if not pidfile.wait_until_free(state.emulator_pid, timeout_s):
        raise EmulatorError(
            f"the emulator (pid {pid}) doesn't end after {timeout_s:.0f} s. Ending it with "
            f"`kill -9 {pid}` loses what it hasn't saved"
        )
    # When it is our own child, take its exit code, so that it doesn't stay as a zombie.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return True


def _last_port(state: StateFolder) -> int | None:
    try:
        return int(json.loads(state.emulator_file.read_text(encoding="utf-8"))["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _last_words(state: StateFolder, lines: int = 5) -> str:
    return " | ".join(tail(state.logs / LOG_NAME, lines)) or "it wrote no log"


def tail(path: Path, lines: int) -> list[str]:
    """Return the last lines of a text file; none when it doesn't exist."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip()][-lines:]
