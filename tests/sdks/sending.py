"""Client SDKs at work: each in a process of its own, behind a front of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdks.front import Fault, Front
from sdks.servers import Servers

HERE = Path(__file__).parent
SENDING_TIMEOUT_S = 180.0


@dataclass(frozen=True)
class Sender:
    """A program that uses an SDK.

    Attributes
    ----------
    command
        What to run.
    count
        How many events it must say it has sent.
    is_stubborn
        Whether it sends again what a broken connection may have lost. amplitude-analytics gives
        such events up without a word.
    """

    command: Sequence[str]
    count: int
    gzip: bool = False
    is_stubborn: bool = True


def python(name: str, count: int, *, gzip: bool = False, is_stubborn: bool = True) -> Sender:
    command = (sys.executable, "-P", str(HERE / "python" / f"{name}_sender.py"))
    return Sender(command, count, gzip, is_stubborn)


@dataclass(frozen=True)
class Outcome:
    """What a sender reported, and what its front saw."""

    run: str
    sent: list[dict[str, Any]]
    errors: list[str]
    front: Front


def send(sender: Sender, run: str, front: Front, *, key: str = "demo") -> Outcome:
    """Let one sender do its task, to its end."""
    task = {"url": front.url, "run": run, "gzip": sender.gzip, "key": key}
    done = subprocess.run(
        [*sender.command, json.dumps(task)],
        cwd=HERE,
        # Nothing of the machine: a proxy, above all, would take the requests elsewhere.
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(HERE / "python"), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=SENDING_TIMEOUT_S,
    )
    assert done.returncode == 0, f"{sender.command}: {done.stderr}"
    report = json.loads(done.stdout)
    return Outcome(run, report["sent"], report["errors"], front)


def send_all(
    senders: Mapping[str, Sender],
    prefix: str,
    servers: Servers,
    upstream: str,
    faults: Sequence[Fault] = (),
    *,
    key: str = "demo",
) -> dict[str, Outcome]:
    """Let senders work at the same time; each meets all the faults that it can stand."""

    def one(name: str) -> Outcome:
        sender = senders[name]
        met = [fault for fault in faults if sender.is_stubborn or fault.kind == "refuse"]
        return send(sender, f"{prefix}-{name}", Front(servers, upstream, met), key=key)

    with ThreadPoolExecutor(len(senders)) as pool:
        return dict(zip(senders, pool.map(one, senders), strict=True))
