"""A small project, and the real local pipeline running on it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from eventstream.local import pidfile
from eventstream.local.state import StateFolder
from eventstream.target import Target, resolve
from fakes.waiting import wait_for

PROJECT = Path(__file__).parent / "project"
SOURCES = Path(__file__).resolve().parents[3] / "src"
PATIENCE_S = 180.0
"""Nobody waits so long but who would fail."""


@dataclass(frozen=True)
class Reply:
    """An HTTP answer, whatever its status."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Local:
    """The local pipeline of one project copy and one state folder."""

    project: Path
    state: Path
    running: dict[str, Any] = field(default_factory=dict)

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run the command line in the project."""
        return subprocess.run(
            [sys.executable, "-m", "eventstream", *arguments],
            cwd=self.project,
            env={**os.environ, "PYTHONPATH": str(SOURCES), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=180,
            **options,
        )

    def start(self, *arguments: str) -> dict[str, Any]:
        """Start the pipeline in the background on a free port."""
        where = ("--detach", "--json", "--state", str(self.state))
        port = () if "--port" in arguments else ("--port", "0")
        done = self.run("dev", *where, *port, *arguments)
        assert done.returncode == 0, done.stderr
        self.running = json.loads(done.stdout)
        return self.running

    def stop(self) -> None:
        """Stop it cleanly."""
        done = self.run("stop", "--state", str(self.state))
        assert done.returncode == 0, done.stderr

    def kill(self) -> None:
        """End gateway, poller and scheduler as a crash would; the emulator goes on."""
        os.kill(self.running["pid"], signal.SIGKILL)
        assert pidfile.wait_until_free(StateFolder(self.state).dev_pid, 10)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """Send a request to the gateway."""
        url = self.running["url"] + path
        request = urllib.request.Request(url, body, headers or {}, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return _reply(answer)
        except urllib.error.HTTPError as error:
            with error:
                return _reply(error)

    def put(self, *items: dict[str, Any]) -> None:
        """Put items on the stream through the HTTP API."""
        headers = {"content-type": "application/json"}
        reply = self.request("POST", "/put", json.dumps(items).encode(), headers)
        assert (reply.status, reply.json) == (200, {"accepted": len(items)})

    @property
    def target(self) -> Target:
        return resolve(self.state)

    def kept(self) -> dict[str, int]:
        """Return how often the stream's function has kept each item."""
        client = self.target.client("dynamodb")
        pages = client.get_paginator("scan").paginate(TableName=self.target.resource("Table"))
        return {
            item["pk"]["S"]: int(item["kept_times"]["N"])
            for page in pages
            for item in page["Items"]
        }

    def failures(self) -> list[dict[str, Any]]:
        """Return the records of the batches that were given up."""
        client, bucket = self.target.client("s3"), self.target.resource("FailureBucket")
        found = []
        for each in client.list_objects_v2(Bucket=bucket).get("Contents", []):
            body = client.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
            found.append({"key": each["Key"], **json.loads(body)})
        return found


def _reply(answer: Any) -> Reply:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Reply(answer.status, headers, answer.read())


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    wait_for("what was waited for", condition, PATIENCE_S, every_s=0.05)


def a_local(folder: Path) -> Local:
    project = folder / "a project"  # paths with spaces must do
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("__pycache__"))
    return Local(project, folder / "a state")


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    """A pipeline of the test's own, not started."""
    found = a_local(tmp_path)
    yield found
    found.run("stop", "--state", str(found.state))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """A running pipeline that tests share because they change nothing in it."""
    found = a_local(tmp_path_factory.mktemp("shared"))
    found.start()
    yield found
    found.stop()
