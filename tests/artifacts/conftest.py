from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from artifacts.support.built import Built
from artifacts.support.world import World, make_world
from template.checks.reading import ROOT, Template, read_template, translate

ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


@pytest.fixture(scope="session")
def built() -> Built:
    if not sys.platform.startswith("linux"):
        pytest.skip("functions are built for Linux, and so is the emulator that runs them")
    architecture = ARCHITECTURES[platform.machine().lower()]
    folder = ".aws-sam/artifacts"
    run("scripts/artifacts/build.sh", architecture, folder)
    run("scripts/artifacts/ric.sh")
    python = Path(run("scripts/artifacts/python312.sh"))
    return Built(ROOT / folder, architecture, python)


@pytest.fixture(scope="session")
def translated() -> Template:
    return translate(read_template())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with make_world(tmp_path_factory.mktemp("world")) as world:
        yield world
