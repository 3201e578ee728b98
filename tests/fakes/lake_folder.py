"""A lake on disk, written by the pipeline's own writer."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from common.adapters.parquet import encode
from common.domain.decode import Position, StreamLine
from common.domain.keys import LAKE_PREFIX, lake_key
from common.domain.lake_schema import PARTITIONS
from common.domain.windows import hour_of
from common.models import EnrichedEvent
from eventstream.lake.pruning import Pruning


def an_event(event_id: str, at: datetime, event_type: str = "click", **more: Any) -> EnrichedEvent:
    values = {
        "event_id": event_id,
        "event_type": event_type,
        "timestamp": at,
        "timestamp_source": "client",
        "received_at": at + timedelta(seconds=1),
        "ingested_at": at + timedelta(seconds=1),
    }
    return EnrichedEvent.model_validate(values | more)


def _text(value: dict[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value, separators=(",", ":"))


@dataclass
class LakeFolder:
    """The lake's objects under a folder, as their keys say."""

    root: Path
    asked: list[Path] = field(default_factory=list)
    """Files that a query needed."""
    _sequence: int = 0

    def write(self, events: Iterable[EnrichedEvent], shard: str = "shardId-000000000000") -> None:
        """Store events as one invocation would: one object for each hour."""
        lines = []
        for event in events:
            self._sequence += 1
            position = Position("stream-1", shard, f"{self._sequence:056d}")
            lines.append(
                StreamLine(position, 0, event, _text(event.properties), _text(event.context))
            )
        self.write_lines(lines)

    def write_lines(self, lines: Iterable[StreamLine]) -> None:
        """Store lines of one shard as one invocation would: one object for each hour."""
        by_hour: dict[datetime, list[StreamLine]] = defaultdict(list)
        for line in lines:
            by_hour[hour_of(line.event.timestamp)].append(line)
        for hour, same in by_hour.items():
            first, last = same[0].position, same[-1].position
            key = lake_key(hour, first.stream, first.shard, first.sequence, last.sequence)
            path = self.root / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(same))

    def files(self, pruning: Pruning) -> Sequence[Path]:
        self.asked = [path for path in self._all() if pruning.needs(self._partition(path.parent))]
        return self.asked

    def partitions(self) -> Sequence[dict[str, int]]:
        folders = sorted({path.parent for path in self._all()})
        return [self._partition(folder) for folder in folders]

    def _all(self) -> list[Path]:
        return sorted((self.root / LAKE_PREFIX).rglob("*.parquet"))

    def _partition(self, folder: Path) -> dict[str, int]:
        parts = folder.parts[-len(PARTITIONS) :]
        return {
            name: int(part.partition("=")[2]) for name, part in zip(PARTITIONS, parts, strict=True)
        }
