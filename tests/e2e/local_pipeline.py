"""A real local pipeline in a folder of its own, used as a person would: by its command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from e2e.stream_lines import hot_counts, read_stream
from eventstream.local import pidfile
from eventstream.local.state import StateFolder
from eventstream.target import Target, from_running

ROOT = Path(__file__).parents[2]
_Found = TypeVar("_Found")


def wait_for(
    what: str, look: Callable[[], _Found], timeout_s: float = 60.0, every_s: float = 0.1
) -> _Found:
    """Look until there is something to see, and return it."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"no {what} within {timeout_s:.0f} s"
        time.sleep(every_s)


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.out, self.err
        return json.loads(self.out)


@dataclass
class LocalPipeline:
    """One state folder; the pipeline on it may be started, killed and started again."""

    folder: Path
    parameters: Mapping[str, str] = field(default_factory=dict)
    started: dict[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> StateFolder:
        return StateFolder(self.folder)

    @property
    def url(self) -> str:
        return str(self.started["url"])

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def target(self) -> Target:
        running = self.state.running()
        assert running is not None
        return from_running(running)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "eventstream", *arguments]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "EVENTSTREAM_STATE": str(self.folder), "NO_COLOR": "1"}

    def run(self, *arguments: str, timeout_s: float = 900.0) -> Done:
        """Run a command to its end."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def must(self, *arguments: str, timeout_s: float = 900.0) -> Done:
        """Run a command that has to succeed."""
        done = self.run(*arguments, timeout_s=timeout_s)
        assert done.code == 0, f"{' '.join(arguments)}: {done.err}\n{self.last_words()}"
        return done

    def start(self, *, port: int | None = None) -> None:
        """Start it, on the port it had before if it had one."""
        port = port if port is not None else self.port if self.started else 0
        arguments = ["dev", "--detach", "--port", str(port), "--json"]
        for name, value in self.parameters.items():
            arguments += ["--param", f"{name}={value}"]
        self.started = self.must(*arguments).json

    def stop(self) -> None:
        """Stop it cleanly."""
        self.must("stop")

    def kill(self) -> None:
        """Kill the gateway, the poller and the scheduler: one process. The store lives on."""
        pid = int(self.started["pid"])
        os.kill(pid, signal.SIGKILL)
        wait_for("free pid file", lambda: pidfile.holder(self.state.dev_pid) is None)
        assert pidfile.holder(self.state.emulator_pid) is not None

    def workers(self) -> list[int]:
        """Return the processes that the functions run in."""
        return descendants(int(self.started["emulator_pid"]))

    def kill_workers(self) -> list[int]:
        """Kill every function process."""
        killed = self.workers()
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        return killed

    def last_words(self, lines: int = 15) -> str:
        """Return the ends of the logs, for a test that fails."""
        texts = []
        for path in sorted(self.state.logs.glob("*.log")):
            tail = path.read_text(errors="replace").splitlines()[-lines:]
            texts.append(f"--- {path.name}\n" + "\n".join(tail))
        return "\n".join(texts)

    def sql(self, statement: str) -> list[dict[str, Any]]:
        """Run a statement and return its rows as mappings."""
        rows: list[dict[str, Any]] = self.must("sql", statement, "--json").json["rows"]
        return rows

    def lake_counts(self) -> Counter[str]:
        """Count the distinct events of each type in the lake."""
        rows = self.sql("SELECT event_type, count(*) AS n FROM events GROUP BY event_type")
        return Counter({row["event_type"]: int(row["n"]) for row in rows})

    def wait_for_lake(self, events: int, timeout_s: float = 120.0) -> None:
        """Wait until so many distinct events are in the lake."""
        wait_for(
            f"{events} events in the lake",
            lambda: self.lake_counts().total() >= events,
            timeout_s,
            every_s=0.5,
        )

    def raw_rows(self) -> int:
        """Count the stream's lines that the lake holds, each once."""
        rows = self.sql(
            "SELECT count(*) AS n FROM "
            "(SELECT DISTINCT stream, shard, sequence, line FROM events_raw) AS lines"
        )
        return int(rows[0]["n"])

    def stream_lines(self) -> list[dict[str, Any]]:
        """Read every event that the stream holds, a re-sent one as often as it was sent."""
        target = self.target()
        return read_stream(target.client("kinesis"), target.resource("EventStream"))

    def wait_until_drained(self) -> None:
        """Wait until every line of the stream is in the lake and, if recent, counted."""
        lines = self.stream_lines()
        wait_for("drained stream", lambda: self.raw_rows() == len(lines), 180.0, every_s=0.5)
        wanted = hot_counts(lines)
        for event_type in sorted({name for name, _ in wanted}):
            of_type = {at: n for (name, at), n in wanted.items() if name == event_type}
            wait_for(
                f"hot counters of {event_type} that equal the stream's lines",
                lambda of_type=of_type, name=event_type: self._hot(name, of_type) == of_type,
                every_s=0.5,
            )

    def _hot(self, event_type: str, like: Mapping[str, int]) -> dict[str, int]:
        series = self.must(
            *("metrics", event_type, "-g", "5m", "--json", "--limit", "10000"),
            *("--from", min(like)),
        ).json
        return {point["start"]: int(point["value"]) for point in series["points"]}

    def hours(self, first: str, end: str) -> dict[str, dict[str, tuple[int, int]]]:
        """Run the ETL over a range and return (count, unique users) by type and hour."""
        self.must("etl", "run", "--from", first, "--to", end, "--json")
        types = [row["event_type"] for row in self.must("types", "--json").json["event_types"]]
        return {name: self._series(name, first, end) for name in types}

    def _series(self, event_type: str, first: str, end: str) -> dict[str, tuple[int, int]]:
        counts, users = (
            {
                point["start"][:13]: int(point["value"])
                for point in self.must(
                    *("metrics", event_type, "--metric", metric, "--json", "--limit", "10000"),
                    *("--from", f"{first}:00:00Z", "--to", f"{end}:00:00Z"),
                ).json["points"]
            }
            for metric in ("count", "unique_users")
        )
        return {hour: (n, users[hour]) for hour, n in counts.items() if n}


def descendants(pid: int) -> list[int]:
    """Return the processes below a process, by the kernel's list of children."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [int(child), *descendants(int(child))]
    return found
