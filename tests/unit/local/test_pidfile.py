import os
import subprocess
import sys
from pathlib import Path

from eventstream.local import pidfile
from eventstream.local.state import Running, StateFolder, find_project

HOLD = """
import sys, time
from pathlib import Path
from eventstream.local import pidfile
lock = pidfile.take(Path(sys.argv[1]))
pidfile.write(lock, {pid})
print("held", flush=True)
sys.stdin.read()
"""


def hold(path: Path) -> subprocess.Popen[str]:
    source = Path(__file__).resolve().parents[3] / "src"
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(pid="__import__('os').getpid()"), str(path)],
        env={**os.environ, "PYTHONPATH": str(source)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def end(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.communicate()


def test_a_living_process_holds_its_pid_file_and_a_killed_one_does_not(tmp_path: Path) -> None:
    path = tmp_path / "dev.pid"
    child = hold(path)

    assert pidfile.holder(path) == child.pid
    end(child)

    assert pidfile.holder(path) is None
    assert path.read_text().strip() == str(child.pid)


def test_a_pid_file_that_is_held_cannot_be_taken(tmp_path: Path) -> None:
    path = tmp_path / "dev.pid"
    child = hold(path)

    assert pidfile.take(path) is None
    end(child)
    lock = pidfile.take(path)

    assert lock is not None
    os.close(lock)


def test_the_pid_of_an_unrelated_process_in_a_left_over_file_means_nothing(tmp_path: Path) -> None:
    path = tmp_path / "dev.pid"
    path.write_text(f"{os.getpid()}\n")

    assert pidfile.holder(path) is None


def test_there_is_no_holder_without_a_file(tmp_path: Path) -> None:
    assert pidfile.holder(tmp_path / "dev.pid") is None


def a_running(pid: int) -> Running:
    return Running(
        url="http://127.0.0.1:3000",
        emulator_url="http://127.0.0.1:4000",
        pid=pid,
        emulator_pid=None,
        region="us-east-1",
        stack_name="stack",
        project="/project",
        started_at="2026-11-20T09:00:00Z",
        resources={"Table": "t"},
    )


def test_what_runs_is_read_back_while_its_process_lives(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    child = hold(folder.dev_pid)
    folder.write_running(a_running(child.pid))

    assert folder.running() == a_running(child.pid)
    end(child)

    assert folder.running() is None


def test_what_another_process_left_is_not_taken_for_the_one_that_starts(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    child = hold(folder.dev_pid)
    folder.write_running(a_running(child.pid + 1))

    assert folder.running() is None
    end(child)


def test_the_project_is_found_from_inside_it(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").touch()
    inside = tmp_path / "src" / "process"
    inside.mkdir(parents=True)

    assert find_project(inside) == tmp_path.resolve()


def test_outside_of_a_project_the_work_tree_of_this_package_is_meant(tmp_path: Path) -> None:
    assert (find_project(tmp_path) / "src" / "eventstream").is_dir()
