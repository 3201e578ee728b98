"""The files of ``events/``: one for each sample event."""

from __future__ import annotations

import json
from pathlib import Path

from eventstream.sample_events import Json, sample_events


def file_text(sample: Json) -> str:
    """Return the text of a sample's file."""
    return json.dumps(sample, indent=2, ensure_ascii=False) + "\n"


def stale_files(folder: Path) -> list[str]:
    """Name the files of a folder that are missing, old, or belong to no sample."""
    samples = {f"{name}.json": file_text(sample) for name, sample in sample_events().items()}
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(
        name for name in samples.keys() | there.keys() if samples.get(name) != there.get(name)
    )


def write_files(folder: Path) -> list[str]:
    """Write every sample's file, remove those of no sample, and name what changed."""
    changed = stale_files(folder)
    folder.mkdir(parents=True, exist_ok=True)
    samples = sample_events()
    for name in changed:
        path = folder / name
        sample = samples.get(path.stem)
        if sample is None:
            path.unlink()
        else:
            path.write_text(file_text(sample), encoding="utf-8")
    return changed
