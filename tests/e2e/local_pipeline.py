"""A real local pipeline in a folder of its own, used as a person would: by its command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.stream_lines import hot_counts, read_stream
from eventstream.lake.cache import LakeCache
from eventstream.lake.sql import run
from eventstream.local import pidfile, stopping
from eventstream.local.state import StateFolder
from eventstream.target import Target, from_running
from fakes.waiting import PATIENCE_S, wait_for

ROOT = Path(__file__).parents[2]
EXACT = {"BatchWindowSeconds": "1", "EtlGraceMinutes": "0"}
"""Parameters for tests that compare numbers: batches soon, and hours that are final as soon as
the stream is drained beyond them."""


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
        """Stop it cleanly, at once: a command would need seconds to begin on a busy machine."""
        stopping.stop(self.state)

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
        """Run a statement as `eventstream sql` does and return its rows as mappings."""
        target = self.target()
        lake = LakeCache(
            target.client("s3"), target.resource("LakeBucket"), self.folder / "lake-of-tests"
        )
        with run(statement, lake) as result:
            return [dict(zip(result.columns, row, strict=True)) for row in result.rows]

    def lake_counts(self) -> Counter[str]:
        """Count the distinct events of each type in the lake."""
        rows = self.sql("SELECT event_type, count(*) AS n FROM events GROUP BY event_type")
        return Counter({row["event_type"]: int(row["n"]) for row in rows})

    def wait_for_lake(self, events: int, timeout_s: float = PATIENCE_S) -> None:
        """Wait until so many distinct events are in the lake."""
        wait_for(
            f"{events} events in the lake",
            lambda: self.lake_counts().total() >= events,
            timeout_s,
            every_s=0.3,
        )

    def line_counts(self) -> Counter[str]:
        """Count the stream's lines that the lake holds, each once: a re-sent event has two."""
        rows = self.sql(
            "SELECT event_type, count(*) AS n FROM (SELECT DISTINCT event_type, stream, shard, "
            "sequence, line FROM events_raw) AS lines GROUP BY event_type"
        )
        return Counter({row["event_type"]: int(row["n"]) for row in rows})

    def raw_rows(self) -> int:
        """Count the stream's lines that the lake holds, each once."""
        return self.line_counts().total()

    def stream_lines(self) -> list[dict[str, Any]]:
        """Read every event that the stream holds, a re-sent one as often as it was sent."""
        target = self.target()
        return read_stream(target.client("kinesis"), target.resource("EventStream"))

    def wait_until_drained(self) -> None:
        """Wait until every line of the stream is in the lake and, if recent, counted."""
        lines = self.stream_lines()
        wait_for("drained stream", lambda: self.raw_rows() == len(lines), every_s=0.3)
        wanted = hot_counts(lines)
        for event_type in sorted({name for name, _ in wanted}):
            of_type = {at: n for (name, at), n in wanted.items() if name == event_type}
            wait_for(
                f"hot counters of {event_type} that equal the stream's lines",
                lambda of_type=of_type, name=event_type: self.hot(name, min(of_type)) == of_type,
                every_s=0.3,
            )

    def hot(self, event_type: str, since: str) -> dict[str, int]:
        """Read a type's counters by the start of their five minutes."""
        points = self._points(event_type, granularity="5m", **{"from": since})
        return {point["start"]: int(point["value"]) for point in points}

    def counted(self, event_type: str) -> int:
        """Add up the counters of five minutes that a type has."""
        return sum(int(point["value"]) for point in self._points(event_type, granularity="5m"))

    def get(self, path: str, **query: str) -> Any:
        """Ask the API."""
        url = f"{self.url}{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - our own address
            return json.load(answer)

    def _points(self, event_type: str, **query: str) -> list[dict[str, Any]]:
        points, more = [], {"event_type": event_type, **query}
        while True:
            page = self.get("/metrics", **more)
            points += page["points"]
            if page["next_cursor"] is None:
                return points
            more["cursor"] = page["next_cursor"]

    def hours(self, first: str, end: str) -> dict[str, dict[str, tuple[int, int]]]:
        """Run the ETL until a range is final; return (count, unique users) by type and hour.

        Before that an hour may show the counters of five minutes, where an event that had to be
        sent again counts as often as it was sent.
        """
        return wait_for(
            f"final hours from {first} to {end}", lambda: self._final(first, end), every_s=2.0
        )

    def _final(self, first: str, end: str) -> dict[str, dict[str, tuple[int, int]]] | None:
        self.must("etl", "run", "--from", first, "--to", end, "--json")
        types = [row["event_type"] for row in self.get("/event-types")["event_types"]]
        span = {"from": f"{first}:00:00Z", "to": f"{end}:00:00Z"}
        found: dict[str, dict[str, tuple[int, int]]] = {}
        for name in types:
            counts, users = (
                self._points(name, metric=metric, **span) for metric in ("count", "unique_users")
            )
            if any(point["status"] != "final" for point in counts):
                return None
            people = {point["start"]: int(point["value"]) for point in users}
            found[name] = {
                point["start"][:13]: (int(point["value"]), people[point["start"]])
                for point in counts
                if point["value"]
            }
        return found


def descendants(pid: int) -> list[int]:
    """Return the processes below a process, by the kernel's list of children."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [int(child), *descendants(int(child))]
    return found
