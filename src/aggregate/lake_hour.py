"""One hour from the lake to its figures, by way of a directory that is removed again."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from aggregate.figures import HourFigures, compute
from common.ports.lake_reader import LakeReader


class LakeHours:
    """Reads hours of the lake; see :class:`aggregate.deps.ReadHour`."""

    def __init__(self, lake: LakeReader, memory_mb: int) -> None:
        self._lake = lake
        self._memory_mb = memory_mb

    def __call__(self, hour: datetime, known: Mapping[str, datetime]) -> HourFigures:
        with tempfile.TemporaryDirectory(prefix="eventstream-hour-") as root:
            objects, scratch = Path(root, "objects"), Path(root, "spill")
            objects.mkdir()
            scratch.mkdir()
            files = self._lake.download(hour, objects)
            return compute(files, scratch, known=known, memory_mb=self._memory_mb)
