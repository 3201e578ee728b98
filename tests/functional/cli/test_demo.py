from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eventstream.commands import demo as command
from eventstream.demo import whole
from eventstream.demo.result import DemoResult, TypeRow
from eventstream.demo.whole import DemoFailedError, wait_for_lake
from eventstream.local import pidfile, ports
from eventstream.local.state import Running, StateFolder
from eventstream.traffic.generate import Plan
from fakes.event_api import EventApi, FakeClock, receipt
from functional.cli.running import Result, Run

RunDemo = Callable[..., Result]

GOOD = TypeRow("purchase", 10, 10, 10, 10)


def a_result(*rows: TypeRow, found: str | None = "40 errors, expected 0..17") -> DemoResult:
    return DemoResult(list(rows), "2026-11-20T07", found, 1, 2.0)


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Let no pipeline be started; tell which folders were stopped."""
    running = Running("http://127.0.0.1:3399", "", 1, 2, "us-east-1", "eventstream-local", "", "")
    folders: list[Path] = []
    monkeypatch.setattr(whole, "start", lambda *_: running)
    monkeypatch.setattr(whole, "stop", lambda folder: folders.append(folder.root))
    return folders


def answering(monkeypatch: pytest.MonkeyPatch, result: DemoResult | Exception) -> None:
    def run(*_: object) -> DemoResult:
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(whole, "run", run)


@pytest.fixture
def run_demo(
    run: Run, monkeypatch: pytest.MonkeyPatch, stopped: list[Path], tmp_path: Path
) -> RunDemo:
    """Run the command on steps that come to a result, or fail, as told."""

    def demo(seen: DemoResult | Exception, *arguments: str) -> Result:
        answering(monkeypatch, seen)
        return run("demo", "--state", str(tmp_path), *arguments)

    return demo


def test_equal_numbers_and_a_found_anomaly_succeed_and_the_pipeline_is_stopped(
    run_demo: RunDemo, stopped: list[Path], tmp_path: Path
) -> None:
    result = run_demo(a_result(GOOD))

    assert result.code == 0
    assert "40 errors, expected 0..17" in result.out
    assert stopped == [tmp_path]


def test_what_has_stopped_is_not_offered_and_what_stays_is(run_demo: RunDemo) -> None:
    gone, stays = run_demo(a_result(GOOD)), run_demo(a_result(GOOD), "--detach")

    assert "127.0.0.1:3399" not in gone.out
    assert "curl" not in gone.out
    assert "make run" in gone.err
    assert "curl -sS http://127.0.0.1:3399/events" in stays.out


def test_another_port_than_the_wanted_one_is_said_beside_the_urls(run_demo: RunDemo) -> None:
    moved = run_demo(a_result(GOOD), "--detach", "--port", "3000")
    had = run_demo(a_result(GOOD), "--detach", "--port", "3399")

    told = "port 3000 is taken by another program: serving on 3399 instead"
    assert told in moved.out
    assert "instead" not in had.out


def test_another_port_than_the_wanted_one_is_said_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[str] = []
    monkeypatch.setattr(whole.detached, "start", lambda _folder, given, _at: started.extend(given))

    with ports.listen(0) as listener:
        wanted: int = listener.getsockname()[1]
        whole.start(StateFolder(tmp_path), wanted, {})

    chosen = started[started.index("--port") + 1]
    assert chosen != str(wanted)
    assert f"port {wanted} is taken by another program: serving on {chosen} instead" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        pytest.param(a_result(GOOD, TypeRow("error", 5, 4, 4, 4)), "differ for error", id="lost"),
        pytest.param(a_result(TypeRow("error", 5, 5, 6, 5)), "differ for error", id="doubled"),
        pytest.param(a_result(TypeRow("error", 5, 5, 5, 4)), "differ for error", id="miscounted"),
        pytest.param(a_result(GOOD, found=None), "was not found", id="anomaly missed"),
        pytest.param(DemoFailedError("3 of 9 reached the lake"), "3 of 9", id="a step failed"),
    ],
)
def test_anything_else_fails_and_the_pipeline_is_stopped_all_the_same(
    run_demo: RunDemo, stopped: list[Path], seen: DemoResult | Exception, told: str
) -> None:
    done = run_demo(seen)

    assert done.code == 1
    assert told in done.err
    assert len(stopped) == 1


def test_detached_it_stays_and_says_how_to_reach_and_end_it(
    run_demo: RunDemo, stopped: list[Path], tmp_path: Path
) -> None:
    result = run_demo(a_result(GOOD), "--detach", "--json")

    assert stopped == []
    assert f"eventstream stop --state {tmp_path}" in result.err
    assert result.json["ok"] is True
    assert result.json["types"][0]["equal"] is True


def test_kept_it_serves_until_somebody_ends_it(
    run_demo: RunDemo, monkeypatch: pytest.MonkeyPatch, stopped: list[Path], tmp_path: Path
) -> None:
    looks: list[Path] = []

    def interrupted_at_the_third_look(path: Path) -> int:
        looks.append(path)
        if len(looks) == 3:
            raise KeyboardInterrupt
        return 1

    monkeypatch.setattr(command.pidfile, "holder", interrupted_at_the_third_look)
    monkeypatch.setattr(command, "WATCH_S", 0.0)

    result = run_demo(a_result(GOOD), "--keep")

    assert result.code == 0
    assert "press Ctrl-C to stop" in result.err
    assert "emptied by the next `make run`" in result.err
    assert f"`eventstream dev --state {tmp_path}`" in result.err
    assert stopped == [tmp_path]


def ended(state: StateFolder, last_line: str) -> None:
    state.logs.mkdir(parents=True)
    (state.logs / "dev.log").write_text(f"2026-11-20 09:00:00 INFO x {last_line}\n")


def test_a_pipeline_that_was_stopped_ends_the_serving_quietly(
    run_demo: RunDemo, tmp_path: Path
) -> None:
    ended(StateFolder(tmp_path), "stopped")

    result = run_demo(a_result(GOOD), "--keep")

    assert result.code == 0
    assert "the pipeline was stopped" in result.err
    assert "error" not in result.err


@pytest.mark.parametrize("how", ["killed", "failed while stopping", "left no log"])
def test_a_pipeline_that_died_fails_the_serving(
    run_demo: RunDemo, tmp_path: Path, how: str
) -> None:
    state = StateFolder(tmp_path)
    if how == "killed":
        ended(state, "stopped")
        state.dev_file.write_text("{}")
    elif how == "failed while stopping":
        ended(state, "stopping")

    result = run_demo(a_result(GOOD), "--keep")

    assert result.code == 1
    assert "the pipeline has ended by itself" in result.err


def test_a_folder_on_which_a_pipeline_runs_is_left_alone(tmp_path: Path, run: Run) -> None:
    state = StateFolder(tmp_path)
    lock = pidfile.take(state.dev_pid)
    assert lock is not None
    pidfile.write(lock, 1)

    result = run("demo", "--state", str(tmp_path))
    os.close(lock)

    assert result.code == 1
    assert f"eventstream stop --state {tmp_path}" in result.err


def test_a_load_that_is_not_accepted_whole_fails(api: EventApi, url: str, tmp_path: Path) -> None:
    api.script = lambda number, events: receipt(["rejected"] * len(events)) if number == 1 else None
    running = Running(url, "", 1, 2, "us-east-1", "eventstream-local", "", "")
    plan = Plan(datetime(2026, 11, 20, 9, tzinfo=UTC), hours=48, events=1_500)

    with pytest.raises(DemoFailedError, match="500 of 1500 events were not accepted"):
        whole.load(running, plan, tmp_path)


def test_a_lake_that_never_fills_ends_the_wait(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class EmptyLake:
        def __init__(self, *_: object) -> None: ...

        def files(self, _pruning: object) -> list[Path]:
            return []

    class Target:
        def client(self, _service: str) -> None: ...

        def resource(self, _name: str) -> None: ...

    monkeypatch.setattr(whole, "LakeCache", EmptyLake)
    clock = FakeClock()

    with pytest.raises(DemoFailedError, match="0 of 10 events reached the lake in 5 s"):
        wait_for_lake(Target(), 10, tmp_path, 5.0, now=clock, sleep=clock.sleep)
