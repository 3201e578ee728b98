"""The lake in memory."""

from __future__ import annotations

from collections.abc import Sequence

from common.domain.bad_lines import BadLine
from common.domain.decode import StreamLine
from common.domain.keys import quarantine_key
from common.ports.lake import Lake, LakeObject


class MemoryLake(Lake):
    def __init__(self) -> None:
        self.objects: dict[str, tuple[StreamLine, ...]] = {}
        self.quarantined: dict[str, bytes] = {}

    def put_events(self, objects: Sequence[LakeObject]) -> None:
        for one in objects:
            self.objects.setdefault(one.key, one.lines)

    def put_quarantine(self, lines: Sequence[BadLine]) -> None:
        for bad in lines:
            at = bad.position
            key = quarantine_key(at.stream, at.shard, at.sequence, bad.line)
            self.quarantined.setdefault(key, bad.as_json())
