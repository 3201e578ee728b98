"""What a person meets when something breaks: a closed terminal, a dead emulator, a bad handler."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eventstream.local import pidfile
from eventstream.local.state import StateFolder

from .conftest import SOURCES, Local, wait_until

pytestmark = pytest.mark.e2e


def in_a_terminal(local: Local) -> tuple[subprocess.Popen[bytes], int]:
    """Start the pipeline in the foreground of a terminal; return it and the terminal's far end."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "eventstream", "dev", "--port", "0", "--state", str(local.state)],
        cwd=local.project,
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    wait_until((local.state / "dev.json").exists)
    return process, master


@pytest.mark.parametrize("numbers", [(signal.SIGHUP, signal.SIGHUP), (signal.SIGTERM,)])
def test_a_pipeline_whose_terminal_is_gone_stops_cleanly(
    local: Local, numbers: tuple[signal.Signals, ...]
) -> None:
    process, master = in_a_terminal(local)
    os.close(master)

    for number in numbers:
        process.send_signal(number)

    assert process.wait(timeout=60) == 0
    assert "stopped" in (local.state / "logs" / "dev.log").read_text().splitlines()[-1]
    assert pidfile.holder(StateFolder(local.state).emulator_pid) is None
    assert (local.state / "store" / "cloudformation.json").exists()


def kill_the_emulator(local: Local) -> None:
    state = StateFolder(local.state)
    os.kill(local.running["emulator_pid"], signal.SIGKILL)
    assert pidfile.wait_until_free(state.dev_pid, 20)


def test_after_an_emulator_died_unsaved_with_data_the_next_start_says_how_to_go_on(
    local: Local,
) -> None:
    local.start()
    bucket = local.target.resource("FailureBucket")
    local.target.client("s3").put_object(Bucket=bucket, Key="left", Body=b"x")
    kill_the_emulator(local)

    where = ("--state", str(local.state))
    started = local.run("dev", "--port", "0", *where)
    looked = local.run("doctor", "--port", "0", *where)

    assert started.returncode == 1
    [line] = started.stderr.splitlines()
    assert line.startswith("error: the emulator died before it could save its tables")
    assert "`eventstream dev --fresh`" in line
    assert looked.returncode == 1
    assert "died before it could save" in looked.stdout.replace("\n", " ")
    local.start("--fresh")
    assert local.kept() == {}


def test_after_an_emulator_died_unsaved_without_data_the_next_start_just_works(
    local: Local,
) -> None:
    local.start()
    kill_the_emulator(local)

    local.start()

    assert local.request("GET", "/health").status == 200


def test_an_emulator_that_dies_later_leaves_the_store_of_the_last_clean_stop(local: Local) -> None:
    local.start()
    local.stop()
    local.start()
    kill_the_emulator(local)

    local.start("--param", "Greeting=again")

    assert local.request("GET", "/health").json["greeting"] == "again"


def test_a_broken_handler_is_one_line_with_its_place(local: Local) -> None:
    local.start()
    front = local.project / "src" / "demo" / "front.py"
    line = 1 + front.read_text().splitlines().index(
        '        raise ValueError("a secret that clients must not see")'
    )
    answer = local.request("GET", "/boom", headers={"x-client": "client-data"})
    front.write_text(front.read_text().replace("VALUE = 1", "VALUE = = 1"))
    local.request("GET", "/health")

    terminal = (local.state / "logs" / "detached.log").read_text()
    log = (local.state / "logs" / "dev.log").read_text()
    assert answer.status == 500
    for text in (terminal, log):
        [boom] = [each for each in text.splitlines() if "failed: ValueError" in each]
        assert f"a secret that clients must not see at {front}:{line}" in boom
        [syntax] = [each for each in text.splitlines() if "SyntaxError" in each]
        assert f"{front}:9" in syntax
        assert "client-data" not in text
    assert "in lambda_handler" in log


@pytest.mark.parametrize("extra", [(), ("--detach",)])
def test_a_state_folder_that_cannot_be_made_is_one_clear_line(
    local: Local, extra: tuple[str, ...]
) -> None:
    file = local.project / "template.yaml"
    for folder in (Path("/proc/x"), file / "below"):
        done = local.run("dev", "--state", str(folder), *extra)

        assert done.returncode == 1
        assert done.stderr.startswith(f"error: can't make the folder {folder}: ")
        assert "choose another with --state" in done.stderr
