"""Node.js and Chromium, as the machine has them or as scripts/sdks gets them."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from sdks.sending import HERE, Sender

SCRIPTS = HERE.parents[1] / "scripts" / "sdks"
LAST_WORDS_TIMEOUT_S = 20.0


@cache
def _path(script: str) -> str:
    done = subprocess.run([str(SCRIPTS / script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def node() -> str:
    """Return a Node.js; its packages are there."""
    return str(Path(_path("node.sh")) / "node")


def node_sender(name: str, count: int, *, gzip: bool = False) -> Sender:
    return Sender((node(), str(HERE / "node" / f"{name}_sender.mjs")), count, gzip)


class Browser:
    """Headless Chromium. Pages that were visited stay open until they are left."""

    def __init__(self, log: Path) -> None:
        self._log = log
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [node(), str(HERE / "node" / "browser.mjs"), _path("chromium.sh")],
                # Nothing of the machine: no proxy, no profile.
                env={"PATH": os.environ["PATH"], "HOME": str(log.parent), "LANG": "C.UTF-8"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
            )
        self.version = self._answer()["browser"]

    def visit(self, page: str, way: str, task: dict[str, str]) -> dict[str, Any]:
        """Let a page send in one of its ways; return its report."""
        return self._ask({"visit": page, "way": way, "task": task})

    def leave(self) -> None:
        """Leave every page, as a person who follows a link does."""
        self._ask({"leave": True})

    def close(self) -> None:
        """End the browser: its driver ends when nobody commands it any more."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(LAST_WORDS_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the browser's driver ended: {self._log.read_text()[-2000:]}"
        answer: dict[str, Any] = json.loads(line)
        return answer
