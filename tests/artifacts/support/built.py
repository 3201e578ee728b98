"""The output of ``sam build``: what is in it, how big it is, and who can import it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from template.checks.reading import ROOT

LIMIT_BYTES = 250 * 1024 * 1024
"""What Lambda takes of a function and its layers, unzipped."""

UNCHECKED_HASH = 0b01
"""Flags of byte code that holds its source's hash and is not compared with it."""

FUNCTIONS = ("IngestFunction", "ProcessFunction", "AggregateFunction", "QueryFunction")


@dataclass(frozen=True)
class Built:
    """A build folder and the interpreter it was made for."""

    folder: Path
    architecture: str
    python: Path

    @property
    def layer(self) -> Path:
        """What Lambda puts under ``/opt``."""
        return self.folder / "CommonLayer"

    def function(self, name: str) -> Path:
        """What Lambda puts under ``/var/task``."""
        return self.folder / name

    def import_path(self, name: str) -> list[str]:
        """Where a function looks for modules, in Lambda's order."""
        return [str(self.function(name)), str(self.layer / "python")]


def bytes_of(folder: Path) -> int:
    """Return the size of all files below a folder, as Lambda counts it."""
    return sum(
        (Path(place) / name).stat().st_size for place, _, names in os.walk(folder) for name in names
    )


def too_big(built: Built, limit_bytes: int = LIMIT_BYTES) -> list[str]:
    """Find functions that Lambda would refuse for their size."""
    layer = bytes_of(built.layer)
    sizes = {name: bytes_of(built.function(name)) + layer for name in FUNCTIONS}
    return [f"{name}: {size} bytes" for name, size in sizes.items() if size >= limit_bytes]


def slow_modules(folder: Path, mounted_at: str) -> list[str]:
    """Find modules without byte code that Python takes unchecked and that names Lambda's paths.

    A zip keeps no exact times, so byte code that is checked by time would be thrown away.
    """
    findings = []
    for source in sorted(folder.rglob("*.py")):
        place = source.relative_to(folder)
        compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-312.pyc"
        if not compiled.exists():
            findings.append(f"{place}: is not compiled")
            continue
        data = compiled.read_bytes()
        if int.from_bytes(data[4:8], "little") != UNCHECKED_HASH:
            findings.append(f"{place}: is checked before it is taken")
        if f"{mounted_at}/{place}".encode() not in data:
            findings.append(f"{place}: stack traces would name another path")
    return findings


def import_alone(built: Built, module: str, path: list[str]) -> subprocess.CompletedProcess[str]:
    """Import a module with nothing but a path: no site-packages, no environment."""
    program = f"import sys; sys.path[:0] = {path!r}; import {module}, boto3; print(boto3.__file__)"
    return subprocess.run(
        [built.python, "-I", "-S", "-B", "-c", program],
        env={},
        cwd=ROOT.anchor,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
