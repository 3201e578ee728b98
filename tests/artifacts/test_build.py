"""What is deployed: whole, small enough, quick to start, and importable by itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from artifacts.support.built import (
    FUNCTIONS,
    Built,
    bytes_of,
    import_alone,
    slow_modules,
    too_big,
)
from template.checks.reading import ROOT, Template

pytestmark = pytest.mark.artifacts

LIBRARIES = {
    "IngestFunction": set(),
    "ProcessFunction": {"pyarrow"},
    "AggregateFunction": {"duckdb"},
    "QueryFunction": set(),
}


def handler_of(translated: Template, name: str) -> str:
    handler: str = translated["Resources"][name]["Properties"]["Handler"]
    return handler.rpartition(".")[0]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_holds_its_own_package_and_its_own_libraries(built: Built, name: str) -> None:
    own = name.removesuffix("Function").lower()
    locked = (ROOT / "src" / own / "requirements.txt").read_text(encoding="utf-8")
    found = {path.name for path in built.function(name).iterdir()}

    assert own in found
    assert found & {"common", "ingest", "process", "aggregate", "query", "eventstream"} == {own}
    assert {"pyarrow", "duckdb"} & found == LIBRARIES[name]
    assert all(f"{library}==" in locked for library in LIBRARIES[name])


def test_the_layer_holds_the_shared_package_and_a_matched_pair_of_the_sdk(built: Built) -> None:
    found = {path.name for path in (built.layer / "python").iterdir()}
    versions = {
        name.split("-")[0]: name.split("-")[1].removesuffix(".dist")
        for name in found
        if name.startswith(("boto3-", "botocore-"))
    }

    assert "common" in found
    assert versions["boto3"] == versions["botocore"]
    assert not {"aws_xray_sdk", "numpy", "pandas", "pyarrow", "duckdb"} & found


@pytest.mark.parametrize("requirements", sorted(ROOT.glob("src/*/requirements.txt")))
def test_every_library_has_its_locked_version(built: Built, requirements: Path) -> None:
    names = {"common": "CommonLayer"}
    part = names.get(requirements.parent.name, f"{requirements.parent.name.title()}Function")
    found = {
        path.name.removesuffix(".dist-info").lower()
        for path in built.folder.glob(f"{part}/**/*.dist-info")
    }
    lines = requirements.read_text(encoding="utf-8").splitlines()
    locked = {
        line.split(" ")[0].replace("-", "_").replace("==", "-")
        for line in lines
        if "==" in line and not line.startswith(" ")
    }

    assert found == locked


def test_the_query_function_holds_the_description_that_it_serves(built: Built) -> None:
    served = built.function("QueryFunction") / "query" / "openapi.json"

    assert served.read_bytes() == (ROOT / "docs" / "openapi.json").read_bytes()


def test_no_function_is_too_big_for_lambda(built: Built) -> None:
    assert too_big(built) == []


def test_a_function_that_is_too_big_is_found(built: Built) -> None:
    biggest = bytes_of(built.function("ProcessFunction")) + bytes_of(built.layer)

    assert too_big(built, biggest) == [f"ProcessFunction: {biggest} bytes"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_module_starts_from_byte_code(built: Built, name: str) -> None:
    assert slow_modules(built.function(name), "/var/task") == []


def test_every_module_of_the_layer_starts_from_byte_code(built: Built) -> None:
    assert slow_modules(built.layer / "python", "/opt/python") == []


def test_a_module_without_byte_code_is_found(built: Built, tmp_path: Path) -> None:
    copied = shutil.copytree(built.function("IngestFunction"), tmp_path / "task")
    shutil.rmtree(copied / "ingest" / "__pycache__")

    assert "ingest/handler.py: is not compiled" in slow_modules(copied, "/var/task")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_handler_is_imported_from_the_build_alone(
    built: Built, name: str, translated: Template
) -> None:
    done = import_alone(built, handler_of(translated, name), built.import_path(name))

    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(built.layer)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_handler_without_its_layer_is_found(
    built: Built, name: str, translated: Template
) -> None:
    path = [str(built.function(name))]

    assert "ModuleNotFoundError" in import_alone(built, handler_of(translated, name), path).stderr
