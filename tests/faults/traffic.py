"""Random traffic as Lambda hands it over, and what an exact pipeline must make of it.

The expectation is counted from what was sent, by code that shares nothing with the counters.
"""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from dataclasses import dataclass, field
from random import Random
from typing import Any

from common.domain.histogram import Histogram
from common.domain.hot import HotWindow, TypeCount

STREAM = "events"
_ARN = f"arn:aws:kinesis:eu-west-1:123456789012:stream/{STREAM}"
_RECEIVED_AT = "2026-11-20T10:07:00.000Z"
_MOMENTS = (
    # (hour, minute of the window, timestamp, hot)
    ("2026-11-20T10", "05", "2026-11-20T10:06:30.000Z", True),
    ("2026-11-20T10", "05", "2026-11-20T10:09:59.999Z", True),
    ("2026-11-20T10", "00", "2026-11-20T10:04:59.999Z", True),
    ("2026-11-20T09", "55", "2026-11-20T09:59:30.000Z", True),
    ("2026-11-20T08", "55", "2026-11-20T08:59:59.999Z", False),
)
_POISON = (b'{"event_id":"x"}', b"\xff\xfe", b'{"a":', b"[]")

LineId = tuple[str, str, int]
"""Shard, sequence number and position in the record."""


@dataclass(frozen=True)
class Line:
    event_id: str
    event_type: str
    moment: int
    is_error: bool
    latency_ms: float | None
    replayed: bool
    poison: bytes | None = None

    def as_bytes(self) -> bytes:
        if self.poison is not None:
            return self.poison
        body = {
            "event_id": self.event_id,
            "event_type": self.event_type,
            "timestamp": _MOMENTS[self.moment][2],
            "is_error": self.is_error,
            "latency_ms": self.latency_ms,
            "replayed": self.replayed,
            "timestamp_source": "client",
            "received_at": _RECEIVED_AT,
            "ingested_at": _RECEIVED_AT,
            "schema_version": 1,
        }
        return json.dumps(body).encode()


@dataclass(frozen=True)
class Sent:
    """A record on a shard: its lines, and itself as Lambda hands it over."""

    shard: str
    sequence: str
    user: int
    lines: tuple[Line, ...]
    record: dict[str, Any] = field(compare=False, repr=False)

    @classmethod
    def of(cls, shard: str, sequence: str, user: int, lines: tuple[Line, ...]) -> Sent:
        packed = b"\n".join(line.as_bytes() for line in lines)
        record = {
            "eventSourceARN": _ARN,
            "eventID": f"{shard}:{sequence}",
            "kinesis": {
                "sequenceNumber": sequence,
                "approximateArrivalTimestamp": 1_795_169_220.5,
                "data": base64.b64encode(packed).decode(),
            },
        }
        return cls(shard, sequence, user, lines, record)


class Sequences:
    """Numbers as Kinesis gives them: 56 digits, rising, with gaps; a few are a digit shorter."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._last = 10**55 - rng.randrange(400)

    def next(self) -> str:
        self._last += self._rng.randrange(1, 100)
        return str(self._last)


def random_lines(rng: Random, record: int, *, types: int) -> tuple[Line, ...]:
    """One to three lines: some poison, some replayed, some sent before under the same id."""
    count = rng.choice((1, 1, 2, 3))
    return tuple(_random_line(rng, f"{record}-{number}", types) for number in range(count))


def _random_line(rng: Random, event_id: str, types: int) -> Line:
    if rng.random() < 0.2:
        event_id = f"{rng.randrange(8)}-0"
    return Line(
        event_id=event_id,
        event_type=f"type-{rng.randrange(types)}",
        moment=rng.choices(range(len(_MOMENTS)), (6, 2, 2, 2, 1))[0],
        is_error=rng.random() < 0.2,
        latency_ms=rng.choice((None, 0.0, rng.lognormvariate(4.5, 0.7))),
        replayed=rng.random() < 0.05,
        poison=rng.choice(_POISON) if rng.random() < 0.04 else None,
    )


@dataclass(frozen=True)
class Expected:
    """What must be stored once everything sent was processed."""

    windows: dict[tuple[str, str], HotWindow]
    rows: frozenset[LineId]
    event_ids: frozenset[str]
    rows_by_hour: dict[str, int]
    quarantined: frozenset[str]


def expected(sent: list[Sent], *, max_types: int) -> Expected:
    """Count what was sent, each shard in its order."""
    windows = {
        key: _count(records, max_types) for key, records in sorted(_hot_records(sent).items())
    }
    good = [
        (one, number, line)
        for one in sent
        for number, line in enumerate(one.lines)
        if line.poison is None
    ]
    by_hour: dict[str, int] = defaultdict(int)
    for _, _, line in good:
        by_hour[_MOMENTS[line.moment][0]] += 1
    return Expected(
        windows=windows,
        rows=frozenset((one.shard, one.sequence, number) for one, number, _ in good),
        event_ids=frozenset(line.event_id for _, _, line in good),
        rows_by_hour=dict(by_hour),
        quarantined=frozenset(
            f"quarantine/{STREAM}/{one.shard}/{one.sequence}-{number}.json"
            for one in sent
            for number, line in enumerate(one.lines)
            if line.poison is not None
        ),
    )


def _hot_records(sent: list[Sent]) -> dict[tuple[str, str], list[tuple[str, Line]]]:
    hot: dict[tuple[str, str], list[tuple[str, Line]]] = defaultdict(list)
    for one in sent:
        for line in one.lines:
            hour, minute, _, is_hot = _MOMENTS[line.moment]
            if is_hot and not line.replayed and line.poison is None:
                key = (f"HOT#{hour}", f"{minute}#{STREAM}#{one.shard}")
                hot[key].append((one.sequence, line))
    return hot


def _count(records: list[tuple[str, Line]], max_types: int) -> HotWindow:
    lines: dict[str, list[Line]] = {}
    for _, line in records:
        room = line.event_type in lines or len(lines.keys() - {"_other"}) < max_types
        lines.setdefault(line.event_type if room else "_other", []).append(line)
    last = max((sequence for sequence, _ in records), key=int)
    return HotWindow(
        {name: _type_count(same) for name, same in lines.items()}, f"{len(last):03d}{last}"
    )


def _type_count(lines: list[Line]) -> TypeCount:
    latencies = [line.latency_ms for line in lines if line.latency_ms is not None]
    return TypeCount(
        count=len(lines),
        errors=sum(line.is_error for line in lines),
        latency=Histogram.of(latencies).encode() if latencies else None,
    )
