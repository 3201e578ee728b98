"""Cut each function's and the layer's requirements out of ``requirements/local.txt``.

What is deployed is then what the laptop runs, hash by hash. ``--check`` only compares.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKED = ROOT / "requirements" / "local.txt"

PACKAGES: dict[str, tuple[str, ...]] = {
    "common": ("aws-lambda-powertools", "boto3", "botocore", "msgspec", "pydantic"),
    "ingest": ("jsonschema-rs", "ua-parser"),
    "process": ("pyarrow",),
    "aggregate": ("duckdb",),
    "query": (),
}
"""What each part imports itself. The layer holds boto3 and botocore as the pair they are: one
without the other would meet the half that the runtime brings along."""

_NAME = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^\]]*\])?==")
_PARENT = re.compile(r"^\s+#(?: via)?\s+([a-z0-9][a-z0-9._-]*)\b")


def read_blocks(text: str) -> dict[str, list[str]]:
    """Split a locked file into the lines of each package."""
    blocks: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        if match := _NAME.match(line):
            current = blocks.setdefault(match[1], [])
        current.append(line)
    return blocks


def parents(block: list[str]) -> set[str]:
    """Name the packages that a package is there for, as the lock's comments tell."""
    return {match[1] for line in block if (match := _PARENT.match(line))}


def closure(roots: tuple[str, ...], blocks: dict[str, list[str]]) -> list[str]:
    """Return the roots and everything that is there for their sake, by name."""
    missing = [name for name in roots if name not in blocks]
    if missing:
        raise SystemExit(f"lock: {LOCKED.name} does not hold {', '.join(missing)}; run make lock")
    found: set[str] = set()
    new = set(roots)
    while new:
        found |= new
        new = {name for name, block in blocks.items() if parents(block) & found} - found
    return sorted(found)


def requirements_of(part: str, blocks: dict[str, list[str]]) -> str:
    """Write the requirements file of one part: pins and hashes, without comments."""
    lines = [
        line
        for name in closure(PACKAGES[part], blocks)
        for line in blocks[name]
        if not line.lstrip().startswith("#")
    ]
    return "".join(f"{line}\n" for line in lines)


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` say which ones differ."""
    blocks = read_blocks(LOCKED.read_text(encoding="utf-8"))
    stale = []
    for part in PACKAGES:
        path = ROOT / "src" / part / "requirements.txt"
        wanted = requirements_of(part, blocks)
        if path.exists() and path.read_text(encoding="utf-8") == wanted:
            continue
        stale.append(str(path.relative_to(ROOT)))
        if "--check" not in arguments:
            path.write_text(wanted, encoding="utf-8")
    if stale:
        verb = "differ from the lock; run scripts/lock.sh" if "--check" in arguments else "written"
        print(f"lock: {', '.join(stale)}: {verb}", file=sys.stderr)
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
