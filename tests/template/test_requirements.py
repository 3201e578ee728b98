from __future__ import annotations

import pytest

from template.checks import requirements
from template.checks.reading import ROOT
from template.checks.requirements import cut, pins, read

LOCKED = read("requirements/local.txt")
FILES = sorted([*ROOT.glob("requirements/*.txt"), *ROOT.glob("src/*/requirements.txt")])


def test_what_is_deployed_is_cut_from_the_lock() -> None:
    assert requirements.stale(LOCKED) == []


def test_a_lock_that_moved_on_is_noticed() -> None:
    moved = LOCKED.replace("\npyarrow==", "\npyarrow==9")

    assert requirements.stale(moved) == ["src/process/requirements.txt: run scripts/lock.sh"]


def test_a_part_gets_the_libraries_of_its_libraries() -> None:
    assert set(pins(cut("common", LOCKED))) >= {"boto3", "s3transfer", "urllib3", "pydantic-core"}
    assert set(pins(cut("process", LOCKED))) == {"pyarrow"}


def test_a_library_that_the_lock_lacks_is_named() -> None:
    without = LOCKED.replace("\nduckdb==", "\nduckdb-lite==")

    with pytest.raises(SystemExit, match="duckdb"):
        cut("aggregate", without)


def test_every_dependency_of_the_project_is_deployed_somewhere() -> None:
    assert requirements.undeployed(read("pyproject.toml")) == []


def test_a_dependency_that_nobody_deploys_is_found() -> None:
    project = read("pyproject.toml").replace('"pydantic>=', '"numpy",\n    "pydantic>=')

    assert requirements.undeployed(project) == ["numpy: in one place only"]


def test_laptop_and_lambda_run_the_sdk_that_the_emulator_demands() -> None:
    layer, laptop = pins(read("src/common/requirements.txt")), pins(LOCKED)

    assert layer["boto3"] == layer["botocore"] == laptop["boto3"] == laptop["botocore"]
    assert "ministack" in laptop


def test_the_runtime_client_of_the_tests_is_the_laptops() -> None:
    assert pins(read("requirements/ric.txt"))["awslambdaric"] == pins(LOCKED)["awslambdaric"]


def test_the_sam_cli_knows_parent_packages() -> None:
    version = pins(read("requirements/sam.txt"))["aws-sam-cli"]

    assert tuple(int(part) for part in version.split(".")[:2]) >= (1, 145)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_lock_has_hashes_and_fits_every_machine(path: object) -> None:
    assert requirements.loose_lines(read(str(path))) == []


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://packages.example.com/simple",
        "-f /srv/wheels",
        "boto3==1.0 --find-links wheels",
        "boto3 @ file:///srv/boto3.whl",
        "boto3==1.0",
    ],
)
def test_a_line_for_one_machine_or_without_hash_is_found(line: str) -> None:
    assert requirements.loose_lines(line) != []
