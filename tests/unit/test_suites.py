"""What `make test` runs: no suite is left out by where it lies."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
MARKED = re.compile(r"^(pytestmark = |@)pytest\.mark\.e2e", re.MULTILINE)


def test_every_end_to_end_test_lies_where_make_looks_for_it() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    [command] = [line for line in makefile.splitlines() if "-m e2e" in line]
    folders = [ROOT / word for word in command.split() if word.startswith("tests/")]
    modules = [
        path
        for path in (ROOT / "tests").rglob("test_*.py")
        if "node_modules" not in path.parts and MARKED.search(path.read_text(encoding="utf-8"))
    ]

    outside = [path for path in modules if not any(path.is_relative_to(one) for one in folders)]

    assert len(modules) > len(folders) >= 3
    assert outside == []
