"""The table in docs/local.md and this suite name the same cases."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
BASES = {"documented", "recorded", "inferred", "ours"}
_TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)


def rows() -> list[list[str]]:
    """Return the cells of the table's rows: case, AWS page, basis, tests."""
    text = (ROOT / "docs" / "local.md").read_text(encoding="utf-8")
    section = text.split("\n## The poller beside AWS\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def named(cells: list[str]) -> list[str]:
    return re.findall(r"`(test_\w+)`", cells[-1])


def test_every_case_names_its_page_its_basis_and_a_test() -> None:
    for cells in rows():
        assert len(cells) == 4, cells
        assert cells[2] in BASES, cells
        assert cells[2] != "documented" or cells[1] != "—", cells
        assert named(cells), cells


def test_the_table_and_the_suite_name_the_same_tests() -> None:
    suite = {
        name
        for path in Path(__file__).parent.glob("test_*.py")
        if path != Path(__file__)
        for name in _TEST.findall(path.read_text(encoding="utf-8"))
    }

    assert {name for cells in rows() for name in named(cells)} == suite
