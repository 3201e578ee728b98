"""A project that isn't the repository: a folder with a template and sources of its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from e2e.local_pipeline import ROOT, LocalPipeline


@dataclass
class Project(LocalPipeline):
    """A pipeline of a project that isn't the repository."""

    root: Path = Path()

    def command(self, *arguments: str) -> list[str]:
        change = f"import os, runpy; os.chdir({str(self.root)!r}); "
        run = "runpy.run_module('eventstream', run_name='__main__', alter_sys=True)"
        return [sys.executable, "-c", change + run, *arguments]


def project_with(folder: Path, files: Mapping[str, str]) -> Path:
    """Make a project that is the repository but for some files of its functions.

    Parameters
    ----------
    folder
        Where to.
    files
        Their text by their path under ``src``, such as ``process/counters.py``.
    """
    folder.mkdir(parents=True)
    for name in ("modules", "step-functions", "athena"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "template.yaml").write_text((ROOT / "template.yaml").read_text())
    _mirror(ROOT / "src", folder / "src", {Path(name): text for name, text in files.items()})
    return folder


def _mirror(source: Path, copy: Path, files: Mapping[Path, str]) -> None:
    """Link to everything in a folder, but write the files anew."""
    copy.mkdir()
    own = {path.parts[0] for path in files}
    for each in source.iterdir():
        if each.name not in own and each.name != "__pycache__":
            (copy / each.name).symlink_to(each)
    for name in own:
        below = {path.relative_to(name): text for path, text in files.items() if name in path.parts}
        if Path() in below:
            (copy / name).write_text(below[Path()])
        else:
            _mirror(source / name, copy / name, below)
