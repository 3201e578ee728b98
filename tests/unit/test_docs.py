"""The documentation names what there is: links resolve, and each parameter is explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Spell headings as GitHub does."""
    kept = (
        re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(page.read_text())
    )
    return {heading.replace(" ", "-") for heading in kept}


def broken_links(page: Path) -> list[str]:
    broken = []
    for link in _LINK.findall(page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n[a](gone.md) [b](#two) [c](#one) [d](https://example.com)")

    assert broken_links(page) == ["gone.md", "#two"]


def test_every_parameter_is_explained() -> None:
    template = (ROOT / "template.yaml").read_text()
    section = template.split("\nParameters:\n")[1].split("\nConditions:\n")[0]
    parameters = set(re.findall(r"^  ([A-Za-z]+):$", section, re.MULTILINE))
    explained = set(
        re.findall(
            r"^\| `(\w+)` \|", (ROOT / "docs" / "configuration.md").read_text(), re.MULTILINE
        )
    )

    assert explained == parameters


def test_every_alarm_has_a_runbook() -> None:
    template = (ROOT / "template.yaml").read_text()
    alarms = set(re.findall(r"^  (\w+Alarm):$", template, re.MULTILINE))
    runbooks = set(
        re.findall(
            r"^### .*?`(\w+Alarm)`", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE
        )
    )
    named = set(re.findall(r"`(\w+Alarm)`", (ROOT / "docs" / "operations.md").read_text()))

    assert runbooks
    assert named == alarms


def test_every_decision_is_listed_by_its_number() -> None:
    records = [path.name for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md")]
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()

    assert records
    assert [name for name in records if name not in index] == []
