"""The process function is killed again and again at work; every number stays exact to the event.

`make torture` kills it a hundred times, `make test` a few times. What counts is a kill that
interrupted an invocation which had begun to write: the emulator says so, as CloudWatch would, by
the function's `Errors`. The control is the same function without the one line that leaves out
what is counted already; under the same kills it counts events twice.
"""

from __future__ import annotations

import random
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from e2e.client import deliver
from e2e.function_process import FunctionProcess
from e2e.local_pipeline import EXACT, ROOT, LocalPipeline
from e2e.project import Project, project_with
from e2e.shop_visits import PEOPLE, Event, Visits, hourly, sessions
from e2e.stream_lines import hot_counts
from eventstream.local import stopping

pytestmark = pytest.mark.e2e

REQUESTS, EVENTS = 4, 50
"""What is sent before each kill: enough for several batches of a function that lives briefly."""

LONGEST_PAUSE_S = 0.4
"""From the first write of a process to its death at most; less where the machine is so fast that
the work is over by then."""

SETTINGS = {**EXACT, "BatchWindowSeconds": "0", "BatchSize": "60"}
LEAVES_OUT = "records = not_counted(records, stored)"


@dataclass
class Shop:
    """A pipeline under load, whose process function dies at work."""

    pipeline: LocalPipeline
    seed: int
    receipts: list[Event] = field(default_factory=list)
    sent_again: int = 0
    killed: int = 0
    longest_pause_s: float = LONGEST_PAUSE_S

    def __post_init__(self) -> None:
        self.process = FunctionProcess(
            self.pipeline, "ProcessFunction", "process.handler.lambda_handler"
        )
        self._visits, self._rng = Visits(self.seed), random.Random(self.seed)

    @property
    def interrupted(self) -> int:
        """How many invocations were killed, as the emulator counts them."""
        return self.process.metric("Errors")

    def kill_under_load(self) -> None:
        for _ in range(REQUESTS):
            events = self._visits.some(EVENTS)
            self.sent_again += deliver(self.pipeline.url, events)
            self.receipts += events
        before = self.interrupted
        pause_s = self._rng.uniform(0, self.longest_pause_s)
        self.process.kill_at_work(lambda: threading.Event().wait(pause_s))
        self.killed += 1
        # What was hit is told a moment later: the next kill is late enough, and this one is near.
        missed = self.interrupted == before
        self.longest_pause_s = min(LONGEST_PAUSE_S, self.longest_pause_s * (0.7 if missed else 1.4))

    def hot(self) -> Counter[tuple[str, str]]:
        """Read all counters of five minutes."""
        since = min(event["timestamp"] for event in self.receipts)
        types = {event["event_type"] for event in self.receipts}
        return Counter(
            {(name, at): n for name in types for at, n in self.pipeline.hot(name, since).items()}
        )

    def sessions(self) -> Counter[tuple[str, str, str]]:
        """Read everybody's sessions."""
        found: Counter[tuple[str, str, str]] = Counter()
        for person in range(PEOPLE):
            for each in self.pipeline.get("/sessions", user_id=f"person-{person}")["sessions"]:
                found[each["user_id"], each["start"], each["end"]] += each["events"]
        return found

    def lake_ids(self, table: str = "events") -> list[str]:
        rows = self.pipeline.sql(f"SELECT event_id FROM {table}")  # noqa: S608 - our own name
        return sorted(row["event_id"] for row in rows)

    def report(self) -> str:
        raw = len(self.lake_ids("events_raw"))
        return (
            f"\n{self.killed} kills, {self.interrupted} of them interrupted an invocation; "
            f"{self.process.metric('Invocations')} invocations; {len(self.receipts)} events, "
            f"{self.sent_again} sent again; {raw - len(self.receipts)} more rows in the lake"
        )


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    pipeline = LocalPipeline(tmp_path / "state", SETTINGS)
    pipeline.start()
    yield Shop(pipeline, seed=1)
    stopping.stop(pipeline.state)


def test_after_every_kill_all_numbers_agree_to_the_event(shop: Shop, kills: int) -> None:
    while shop.interrupted < kills:
        shop.kill_under_load()
        assert shop.killed <= 5 * kills + 20, "the kills hit no invocation"

    shop.pipeline.wait_until_drained()

    sent = sorted(event["event_id"] for event in shop.receipts)
    assert shop.killed * REQUESTS * EVENTS == len(set(sent)) == len(sent)
    # What had to be sent again, as a busy machine may demand, has two lines and counts twice
    # until the hour is aggregated. That is no matter of redeliveries.
    lines = shop.pipeline.stream_lines()
    assert sorted({line["event_id"] for line in lines}) == sent
    assert 0 <= len(lines) - len(sent) <= shop.sent_again
    assert shop.lake_ids() == sent
    assert shop.hot() == hot_counts(lines)
    assert shop.sessions() == sessions(lines)
    assert shop.pipeline.hours(*span(shop.receipts)) == hourly(shop.receipts)
    assert shop.pipeline.must("failures", "list", "--json").json["failures"] == []
    sys.stdout.write(shop.report())


def span(events: list[Event]) -> tuple[str, str]:
    """Return the first hour and the end of the last one."""
    hours = sorted(event["timestamp"][:13] for event in events)
    end = datetime.fromisoformat(f"{hours[-1]}:00:00") + timedelta(hours=1)
    return hours[0], end.strftime("%Y-%m-%dT%H")


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[Shop]:
    """The same with a function that does not leave out what it has counted before."""
    counters = (ROOT / "src" / "process" / "counters.py").read_text()
    assert counters.count(LEAVES_OUT) == 1
    project = project_with(
        tmp_path / "project", {"process/counters.py": counters.replace(LEAVES_OUT, "pass")}
    )
    # Without sessions the counters are most of what a kill can interrupt.
    pipeline = Project(tmp_path / "state", {**SETTINGS, "Sessions": "off"}, root=project)
    pipeline.start()
    yield Shop(pipeline, seed=1)
    stopping.stop(pipeline.state)


def test_a_function_that_does_not_know_what_it_has_counted_counts_twice(forgetful: Shop) -> None:
    """The control: the kills do interrupt what would count twice."""
    too_many = 0
    while not too_many:
        forgetful.kill_under_load()
        assert forgetful.killed <= 80, "no kill fell between the counters of a batch"
        counted, sent = forgetful.hot(), hot_counts(forgetful.pipeline.stream_lines())
        too_many = (counted - sent).total()

    sys.stdout.write(f"\n{forgetful.killed} kills: {too_many} events counted twice by the control")
