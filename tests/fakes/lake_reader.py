"""The lake as objects in memory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from common.domain.keys import lake_prefix
from common.ports.lake_reader import LakeReader


class MemoryLakeReader(LakeReader):
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.directories: list[Path] = []

    def download(self, hour: datetime, directory: Path) -> Mapping[Path, str]:
        self.directories.append(directory)
        files: dict[Path, str] = {}
        for key, data in sorted(self.objects.items()):
            if key.startswith(lake_prefix(hour)) and key.endswith(".parquet"):
                file = directory / f"{len(files):06d}.parquet"
                file.write_bytes(data)
                files[file] = key
        return files
