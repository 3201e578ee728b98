"""What is deployed and built with: locked, matched, and bound to no machine."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

from template.checks.reading import ROOT

_PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^\]]*\])?==(\S+)", re.MULTILINE)
_BOUND = re.compile(r"://|(?:^|\s)(?:-i|-f|--index-url|--extra-index-url|--find-links)\b|(?:^|\s)/")

_script = runpy.run_path(str(ROOT / "scripts" / "artifacts" / "lock_functions.py"))
PACKAGES: dict[str, tuple[str, ...]] = _script["PACKAGES"]


def pins(text: str) -> dict[str, str]:
    """Return the versions that a requirements file pins, by name."""
    return dict(_PIN.findall(text))


def read(path: str | Path) -> str:
    """Read a file of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


def cut(part: str, locked: str) -> str:
    """Cut a part's requirements out of a lock, as ``scripts/lock.sh`` does."""
    requirements: str = _script["requirements_of"](part, _script["read_blocks"](locked))
    return requirements


def stale(locked: str) -> list[str]:
    """Find deployed requirements that are not what the lock says."""
    return [
        f"src/{part}/requirements.txt: run scripts/lock.sh"
        for part in PACKAGES
        if read(f"src/{part}/requirements.txt") != cut(part, locked)
    ]


def undeployed(project: str) -> list[str]:
    """Find dependencies of the project that no part deploys, and the other way round."""
    names = tomllib.loads(project)["project"]["dependencies"]
    wanted = {re.split(r"[^A-Za-z0-9._-]", name)[0] for name in names}
    # botocore comes with boto3 and is named to say that the two move together.
    deployed = {name for part in PACKAGES.values() for name in part} - {"botocore"}
    return sorted(f"{name}: in one place only" for name in wanted ^ deployed)


def loose_lines(text: str) -> list[str]:
    """Find requirements without hashes, and lines that name an index or a path."""
    findings = [line for line in text.splitlines() if _BOUND.search(line)]
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)
    return findings + [block for block in blocks if block[:1].isalnum() and "--hash=" not in block]
