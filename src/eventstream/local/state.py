"""The state folder: what a local pipeline leaves on disk, and how another process finds it."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from eventstream.local import pidfile

DEV_FILE_FORMAT = 1

STATE = Path(".eventstream")
"""Where a pipeline keeps its state, below the project."""


@dataclass(frozen=True)
class Running:
    """What ``dev.json`` tells about a running local pipeline."""

    url: str
    emulator_url: str
    pid: int
    emulator_pid: int | None
    region: str
    stack_name: str
    project: str
    started_at: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StateFolder:
    """The files of one local pipeline, all under one folder."""

    root: Path

    @property
    def dev_pid(self) -> Path:
        return self.root / "dev.pid"

    @property
    def emulator_pid(self) -> Path:
        return self.root / "emulator.pid"

    @property
    def dev_file(self) -> Path:
        return self.root / "dev.json"

    @property
    def emulator_file(self) -> Path:
        return self.root / "emulator.json"

    @property
    def clock_file(self) -> Path:
        return self.root / "clock"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"

    def write_running(self, running: Running) -> None:
        """Write ``dev.json`` in one step, so that a reader never sees half of it."""
        text = json.dumps({"format": DEV_FILE_FORMAT, **asdict(running)}, indent=2)
        write_atomically(self.dev_file, text + "\n")

    def running(self) -> Running | None:
        """Return what runs on this folder; ``None`` when nothing does or it isn't ready yet."""
        pid = pidfile.holder(self.dev_pid)
        if pid is None:
            return None
        try:
            found = json.loads(self.dev_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        if found.pop("format", None) != DEV_FILE_FORMAT or found.get("pid") != pid:
            return None
        return Running(**found)


def write_atomically(path: Path, text: str) -> None:
    """Replace a file's content so that a reader sees the old or the new text, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def find_project(start: Path | None = None) -> Path:
    """Return the folder that holds ``template.yaml`` and ``src/``.

    Parameters
    ----------
    start
        Where to look first, and then upwards; the current folder when not given.

    Returns
    -------
    Path
        The first folder found; else the work tree this package was imported from.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "template.yaml").is_file() and (folder / "src").is_dir():
            return folder
    return Path(__file__).resolve().parents[3]


def state_folder(chosen: Path | None = None) -> StateFolder:
    """Return the chosen state folder, or ``.eventstream`` of the project."""
    return StateFolder((chosen or find_project() / STATE).resolve())


def demo_folder(chosen: Path | None = None) -> StateFolder:
    """Return the chosen state folder, or the demo's own, which begins empty each time."""
    return StateFolder((chosen or find_project() / STATE / "demo").resolve())


def folder_in_use(chosen: Path | None = None) -> StateFolder:
    """Return the folder of the pipeline that a command means.

    The chosen one; else that of the project, or the demo's where only the demo runs.
    """
    own, demo = state_folder(chosen), demo_folder()
    return demo if chosen is None and own.running() is None and demo.running() else own
