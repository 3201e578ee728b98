"""A built function under Lambda's own Runtime Interface Emulator.

The emulator comes with the SAM CLI and needs no container. It answers one call at a time.
"""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from artifacts.support.built import Built
from eventstream.local.ports import HOST, free_port
from fakes.waiting import wait_for
from template.checks.reading import ROOT

INVOKE = "/2015-03-31/functions/function/invocations"
START_TIMEOUT_S = 120


class EmulatedFunction:
    """Calls one function through its emulator."""

    def __init__(self, port: int) -> None:
        self._port = port

    def invoke(self, event: object) -> Any:
        """Send an event and return the answer; a failure is an answer with ``errorType``."""
        connection = http.client.HTTPConnection(HOST, self._port, timeout=120)
        try:
            connection.request("POST", INVOKE, json.dumps(event))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


def _emulator(architecture: str) -> Path:
    [found] = ROOT.glob(
        f".tools/lib/python3.12/site-packages/samcli/local/rapid/aws-lambda-rie-{architecture}"
    )
    return found


def _environment(
    built: Built, name: str, properties: dict[str, Any], variables: dict[str, str], home: Path
) -> dict[str, str]:
    task, ric = built.function(name), ROOT / ".aws-sam" / "ric"
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        # Without it, running the build would change what is deployed.
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": ":".join([*built.import_path(name), str(ric)]),
        "LAMBDA_TASK_ROOT": str(task),
        "LAMBDA_RUNTIME_DIR": str(ric),
        "_HANDLER": properties["Handler"],
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(properties["Timeout"]),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(properties["MemorySize"]),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        **variables,
    }


@contextmanager
def emulated(
    built: Built, name: str, properties: dict[str, Any], variables: dict[str, str], scratch: Path
) -> Iterator[EmulatedFunction]:
    """Run a built function; its log goes to a file named after it."""
    port, log = free_port(), scratch / f"{name}.log"
    # Both addresses always: by default the emulator listens on every interface.
    command = [
        str(_emulator(built.architecture)),
        "--log-level=warn",
        f"--runtime-interface-emulator-address={HOST}:{port}",
        f"--runtime-api-address={HOST}:{free_port()}",
        str(built.python),
        "-S",
        "-m",
        "awslambdaric",
        properties["Handler"],
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=_environment(built, name, properties, variables, scratch),
            cwd=built.function(name),
            stdout=output,
            stderr=output,
        )
        try:
            _wait(port, process, log)
            yield EmulatedFunction(port)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    wait_for("open port", lambda: process.poll() is not None or _is_open(port), START_TIMEOUT_S)
    assert process.poll() is None, (
        f"the emulator did not start: {log.read_text(encoding='utf-8')[-2000:]}"
    )


def _is_open(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=1)
    try:
        connection.connect()
    except OSError:
        return False
    finally:
        connection.close()
    return True
