import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from eventstream.local import emulator, pidfile, ports
from eventstream.local.errors import PortTakenError
from eventstream.local.state import StateFolder

from .conftest import SOURCES, Local, a_local, wait_until

pytestmark = pytest.mark.e2e


def test_a_clean_stop_and_start_keeps_everything(local: Local) -> None:
    before = local.start()
    local.put({"id": "a"}, {"id": "b"})
    wait_until(lambda: len(local.kept()) == 2)
    local.stop()

    after = local.start()

    assert after["resources"] == before["resources"]
    assert local.kept() == {"a": 1, "b": 1}
    local.put({"id": "c"})
    wait_until(lambda: "c" in local.kept())
    assert local.kept() == {"a": 1, "b": 1, "c": 1}


def test_records_that_wait_at_a_stop_are_processed_after_the_start(local: Local) -> None:
    local.start("--param", "WindowSeconds=300")
    local.put({"id": "waiting"})
    local.stop()

    local.start("--param", "WindowSeconds=0")

    wait_until(lambda: local.kept() == {"waiting": 1})


def test_killing_gateway_and_poller_under_load_loses_nothing(local: Local) -> None:
    local.start()
    acknowledged: list[str] = []
    ending = threading.Event()

    def send() -> None:
        number = 0
        while not ending.is_set():
            number += 1
            try:
                local.put({"id": f"n{number}"})
            except (OSError, AssertionError):
                continue
            acknowledged.append(f"n{number}")

    sender = threading.Thread(target=send)
    sender.start()
    for wanted in (15, 30):
        wait_until(lambda wanted=wanted: len(acknowledged) >= wanted)
        local.kill()
        local.start()
    ending.set()
    sender.join()

    wait_until(lambda: set(acknowledged) <= set(local.kept()))


def test_killing_function_processes_loses_nothing(local: Local) -> None:
    local.start()
    local.put({"id": "before"})
    wait_until(lambda: "before" in local.kept())

    for pid in children(local.running["emulator_pid"]):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: local.request("GET", "/health").status == 200)
    local.put({"id": "after"})

    wait_until(lambda: set(local.kept()) == {"before", "after"})


def children(pid: int) -> list[int]:
    listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True)
    return [int(line) for line in listed.stdout.split()]


def test_an_emulator_that_a_killed_process_left_is_taken_over_with_its_data(local: Local) -> None:
    first = local.start()
    local.put({"id": "a"})
    wait_until(lambda: "a" in local.kept())
    local.kill()

    second = local.start()

    assert second["emulator_pid"] == first["emulator_pid"]
    # Once more if the kill came between the function's success and the checkpoint.
    assert set(local.kept()) == {"a"}


def test_stop_ends_an_emulator_that_a_killed_process_left(local: Local) -> None:
    local.start()
    local.kill()

    local.stop()

    assert pidfile.holder(StateFolder(local.state).emulator_pid) is None


def test_when_the_emulator_dies_the_pipeline_says_so_and_ends(local: Local) -> None:
    running = local.start()

    os.kill(running["emulator_pid"], signal.SIGKILL)

    assert pidfile.wait_until_free(StateFolder(local.state).dev_pid, 20)
    assert "the emulator ended by itself" in (local.state / "logs" / "detached.log").read_text()


def test_a_second_start_says_where_the_first_one_runs(shared: Local) -> None:
    for extra in ((), ("--detach",)):
        done = shared.run("dev", "--port", "0", "--state", str(shared.state), *extra)

        assert done.returncode == 1
        assert f"already running at {shared.running['url']}" in done.stderr
        assert f"(pid {shared.running['pid']})" in done.stderr


def test_a_taken_port_is_one_clear_line_and_leaves_nothing_behind(
    local: Local, shared: Local
) -> None:
    port = shared.running["url"].rsplit(":", 1)[-1]

    for extra in ((), ("--detach",)):
        done = local.run("dev", "--port", port, "--state", str(local.state), *extra)

        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            f"error: port {port} is taken by another program: stop that program, "
            "or choose another port with --port"
        ]
    assert pidfile.holder(StateFolder(local.state).emulator_pid) is None


def test_a_taken_port_is_named() -> None:
    with ports.listen(0) as listener:
        port = listener.getsockname()[1]

        with pytest.raises(PortTakenError, match=f"port {port} is taken"):
            ports.listen(port)
        assert not ports.is_free(port)
        assert ports.free_port(port) != port


def test_two_pipelines_run_side_by_side(local: Local, shared: Local) -> None:
    local.start("--param", "Greeting=other")

    assert local.request("GET", "/health").json["greeting"] == "other"
    assert shared.request("GET", "/health").json["greeting"] == "hello"
    assert local.kept() == {}


def test_ctrl_c_stops_cleanly(local: Local) -> None:
    command = [sys.executable, "-m", "eventstream", "dev", "--port", "0", "--json"]
    process = subprocess.Popen(
        [*command, "--state", str(local.state)],
        cwd=local.project,
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until((local.state / "dev.json").exists)

    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)

    assert process.returncode == 0
    assert json.loads(out)["pid"] == process.pid
    assert "finished first" in error
    assert pidfile.holder(StateFolder(local.state).emulator_pid) is None


def test_a_template_that_is_not_understood_stops_the_start_by_name(local: Local) -> None:
    template = local.project / "template.yaml"
    text = template.read_text().replace(
        "BisectBatchOnFunctionError: true", "TumblingWindowInSeconds: 5"
    )
    template.write_text(text)

    done = local.run("dev", "--port", "0", "--state", str(local.state))

    assert done.returncode == 1
    assert "StreamFunctionMapping" in done.stderr
    assert "TumblingWindowInSeconds" in done.stderr
    assert pidfile.holder(StateFolder(local.state).emulator_pid) is None


def test_fresh_begins_with_an_empty_store(local: Local) -> None:
    local.start()
    local.put({"id": "a"})
    wait_until(lambda: local.kept() == {"a": 1})
    local.stop()

    local.start("--fresh")

    assert local.kept() == {}


def test_posts_wait_for_a_clock_that_was_put_back_while_nothing_ran(local: Local) -> None:
    clock = StateFolder(local.state).clock_file
    local.state.mkdir()
    clock.touch()
    os.utime(clock, (time.time() + 1000, time.time() + 1000))
    local.start()

    held_up = local.request("POST", "/put", b"[]", {"content-type": "application/json"})

    assert held_up.status == 503
    assert 900 < int(held_up.headers["retry-after"]) <= 1000
    assert local.request("GET", "/health").status == 200
    assert "clock of this machine went back" in (local.state / "logs" / "dev.log").read_text()
    assert clock.stat().st_mtime > time.time()

    local.stop()
    local.start("--fresh")
    local.put({"id": "a"})


def test_an_emulator_that_ends_is_collected_by_who_started_it(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    started = emulator.start(state, "us-east-1")
    emulator.wait_until_healthy(started, state)
    emulator.stop(state)

    def is_gone() -> bool:
        try:
            os.kill(started.pid, 0)
        except ProcessLookupError:
            return True
        return False

    wait_until(is_gone)


def test_stopping_when_nothing_runs_is_no_error(tmp_path: Path) -> None:
    done = a_local(tmp_path).run("stop", "--json", "--state", str(tmp_path / "state"))

    assert (done.returncode, json.loads(done.stdout)) == (0, {"stopped": []})
