"""The template with a second flow, added as docs/event-flows.md says."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "event-flows.md"


def blocks() -> tuple[str, str]:
    """Return the flow and the lines that tell of it, as the page has them."""
    first, second = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    return first, second


def with_second_flow() -> str:
    """Return the text of template.yaml with the flow added."""
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    flow, lines = blocks()
    routes, resource, flows = lines.splitlines()
    text = text.replace("\nResources:\n", f"\nResources:\n{flow}\n", 1)
    text = _replaced(text, r"^( +)STREAM_ROUTES: .*$", routes)
    text = _replaced(text, r"^( +)FLOWS: .*$", flows)
    head, found, rest = text.partition("Sid: PutEventsOnTheStream")
    assert found
    return head + found + _replaced(rest, r"^( +)Resource: !GetAtt EventStream.Arn$", resource)


def _replaced(text: str, pattern: str, line: str) -> str:
    changed, count = re.subn(
        pattern, lambda match: match[1] + line, text, count=1, flags=re.MULTILINE
    )
    assert count == 1, pattern
    return changed


def project(folder: Path) -> Path:
    """Make a project whose template has a second flow; everything else is the repository's."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("src", "modules", "step-functions", "athena"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "template.yaml").write_text(with_second_flow(), encoding="utf-8")
    return folder
