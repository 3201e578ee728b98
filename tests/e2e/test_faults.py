"""Parts are killed in the middle of a load; after the restart every number is exact.

The store lives on, as AWS' own services do; gateway, poller, function processes and loaders die.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from e2e.conftest import MakePipeline
from e2e.local_pipeline import EXACT, LocalPipeline
from e2e.rows import Table, write_rows
from fakes.waiting import wait_for

pytestmark = pytest.mark.e2e

ROWS = 3_000


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return write_rows(tmp_path, ROWS, hours=8)


@pytest.fixture
def running(pipeline: MakePipeline) -> LocalPipeline:
    made = pipeline(**EXACT)
    made.start()
    return made


class Load:
    """A loader in the background, slow enough to be caught at work."""

    def __init__(self, pipeline: LocalPipeline, table: Table) -> None:
        self._pipeline = pipeline
        self._arguments = (*table.load, "--batch", "50", "--rate", "500", "--json")
        self.process = subprocess.Popen(
            pipeline.command(*self._arguments),
            cwd=Path(__file__).parents[2],
            env=pipeline.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def batches(self) -> int:
        """How many batches were answered for."""
        files = list((self._pipeline.folder / "loads").glob("*.jsonl"))
        return sum(path.read_text().count('"first"') for path in files)

    def wait_until_under_way(self, batches: int = 8) -> None:
        wait_for(f"{batches} batches", lambda: self.batches() >= batches)
        self.must_be_under_way()

    def must_be_under_way(self) -> None:
        assert self.process.poll() is None, "the load was over before the fault"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=30)
        assert self.process.returncode == -signal.SIGKILL

    def finish(self) -> dict[str, Any]:
        """Wait for the end and return the report."""
        out, err = self.process.communicate(timeout=300)
        assert self.process.returncode == 0, err
        report: dict[str, Any] = json.loads(out)
        assert report["accepted"] == report["sent"] == ROWS
        return report

    def resume(self) -> int:
        """Run the same command again to the end; return how many events it still had to send."""
        report = self._pipeline.must(*self._arguments).json
        assert report["accepted"] == report["sent"]
        return int(report["sent"])


def assert_exact(running: LocalPipeline, table: Table) -> None:
    running.wait_for_lake(ROWS)
    running.wait_until_drained()
    assert running.lake_counts().total() == ROWS
    assert running.hours(table.first, table.end) == table.hourly()


def test_the_loader_is_killed_and_the_same_command_goes_on(
    running: LocalPipeline, table: Table
) -> None:
    load = Load(running, table)
    load.wait_until_under_way()
    load.kill()

    still_to_send = load.resume()

    assert 0 < still_to_send < ROWS
    assert_exact(running, table)


def test_gateway_and_poller_are_killed_and_started_again(
    running: LocalPipeline, table: Table
) -> None:
    load = Load(running, table)
    load.wait_until_under_way()
    running.kill()
    load.must_be_under_way()
    running.start()

    assert load.finish()["resent"] > 0
    assert_exact(running, table)


def test_function_processes_are_killed_again_and_again(
    running: LocalPipeline, table: Table
) -> None:
    load = Load(running, table)
    killed: list[int] = []
    for batches in (6, 16, 26):
        load.wait_until_under_way(batches)
        killed += running.kill_workers()

    load.finish()

    assert len(killed) >= 3
    assert_exact(running, table)


def test_everything_but_the_store_is_killed_at_once(running: LocalPipeline, table: Table) -> None:
    load = Load(running, table)
    load.wait_until_under_way()
    load.kill()
    running.kill()
    running.kill_workers()
    running.start()

    assert 0 < load.resume() < ROWS
    assert_exact(running, table)


def test_a_clean_stop_and_start_loses_nothing_that_is_under_way(
    running: LocalPipeline, table: Table
) -> None:
    load = Load(running, table)
    load.wait_until_under_way()
    running.stop()
    load.must_be_under_way()
    running.start()

    assert load.finish()["resent"] > 0
    assert_exact(running, table)


def test_a_dead_store_is_noticed_and_not_taken_for_a_pipeline(running: LocalPipeline) -> None:
    """The control of the others: what they rely on is that the store lives."""
    os.kill(int(running.started["emulator_pid"]), signal.SIGKILL)

    wait_for("end of the pipeline", lambda: running.state.running() is None)

    assert running.run("send", "page_view").code == 1
