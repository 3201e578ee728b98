"""Counters of five-minute windows, exact per stream line however often a line is delivered.

A stored window knows ``mark``, the sequence number of the last record it holds. As one shard's
records come in order the first time, a record at or below the mark is in the window already, and
what the window holds is a function of its mark alone: of neither batches nor retries.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from common.domain.decode import StreamLine
from common.domain.histogram import Histogram
from common.domain.keys import OTHER_TYPES, hot_pk, hot_sk, sequence_mark
from common.domain.windows import HOUR, METRIC_WINDOW, from_ms, hour_of, to_ms
from common.models import EnrichedEvent

_WINDOW_MS = METRIC_WINDOW // timedelta(milliseconds=1)
MAX_LATENCY_BYTES = 310_000
"""Bytes of a window's histograms from which on no further latency is taken into them.

DynamoDB takes items of 400 KB. The rest of a window, 200 types and ``_other`` with names of 128
characters, stays under 40 KB; 201 histograms with a value in every bucket have 280 KB.
"""


@dataclass(frozen=True, slots=True)
class WindowKey:
    """One five-minute window of one shard: no two shards write the same item."""

    start: datetime
    stream: str
    shard: str

    @property
    def pk(self) -> str:
        """Partition key of the stored item."""
        return hot_pk(self.start)

    @property
    def sk(self) -> str:
        """Sort key of the stored item."""
        return hot_sk(self.start, self.stream, self.shard)

    def expires_at_s(self, retention: timedelta) -> int:
        """Return the epoch second at which the item may go."""
        return int((self.start + retention).timestamp())


@dataclass(frozen=True, slots=True)
class TypeCount:
    """What a window knows of one event type."""

    count: int
    errors: int
    latency: bytes | None = None
    """Wire form of :class:`common.domain.histogram.Histogram`; ``None`` until a latency comes."""


@dataclass(frozen=True, slots=True)
class HotWindow:
    """A window as it is stored."""

    types: Mapping[str, TypeCount]
    mark: str
    """:func:`common.domain.keys.sequence_mark` of the last record that is counted."""


class Sample(msgspec.Struct, frozen=True, gc=False):
    """What the counters take from an event."""

    event_type: str
    is_error: bool
    latency_ms: float | None


class RecordSamples(msgspec.Struct, frozen=True, gc=False):
    """What one record adds to one window: counted whole or not at all."""

    mark: str
    samples: tuple[Sample, ...]


def is_hot(event: EnrichedEvent) -> bool:
    """Say whether an event touches the hot windows: of this hour or the last when it arrived.

    The rest is counted by the hourly results only. It depends on the event alone, so that each
    delivery decides alike.
    """
    if event.replayed:
        return False
    # An hour's difference crosses one boundary at most; most events need no more than this.
    if event.received_at - event.timestamp <= HOUR:
        return True
    return hour_of(event.timestamp) >= hour_of(event.received_at) - HOUR


def by_window(lines: Iterable[StreamLine]) -> dict[WindowKey, list[RecordSamples]]:
    """Group the hot events of a batch.

    Returns
    -------
    dict
        The windows in order of time; for each one its records in order of their marks.
    """
    grouped: dict[tuple[int, str, str], dict[str, list[Sample]]] = {}
    marks: dict[str, str] = {}
    for line in lines:
        event, at = line.event, line.position
        if is_hot(event):
            mark = marks.get(at.sequence)
            if mark is None:
                mark = marks[at.sequence] = sequence_mark(at.sequence)
            sample = Sample(event.event_type, event.is_error, event.latency_ms)
            window = to_ms(event.timestamp) // _WINDOW_MS
            records = grouped.setdefault((window, at.stream, at.shard), {})
            records.setdefault(mark, []).append(sample)
    return {
        WindowKey(from_ms(number * _WINDOW_MS), stream, shard): [
            RecordSamples(mark, tuple(samples)) for mark, samples in sorted(records.items())
        ]
        for (number, stream, shard), records in sorted(grouped.items())
    }


def not_counted(
    records: Sequence[RecordSamples], window: HotWindow | None
) -> Sequence[RecordSamples]:
    """Leave out the records that a stored window holds already."""
    if window is None:
        return records
    return [record for record in records if record.mark > window.mark]


def counted(
    window: HotWindow | None, records: Sequence[RecordSamples], *, max_types: int
) -> HotWindow:
    """Add records to a window.

    Parameters
    ----------
    window
        The window as stored; ``None`` when nothing is.
    records
        At least one, in order of their marks, all above the window's mark.
    max_types
        How many types a window names. Types are admitted in stream order, so that which ones
        does not depend on the batches; the rest are counted together as ``_other``.

    Notes
    -----
    Latencies are taken in stream order until the histograms have :data:`MAX_LATENCY_BYTES`. That
    is no matter of the batches either: each latency is taken or not by what came before it.
    """
    types = dict(window.types) if window else {}
    named = len(types) - (OTHER_TYPES in types)
    latencies: list[tuple[str, float]] = []
    counts, errors = Counter[str](), Counter[str]()
    for sample in (sample for record in records for sample in record.samples):
        name = sample.event_type
        if name not in types and name not in counts:
            name, named = (name, named + 1) if named < max_types else (OTHER_TYPES, named)
        counts[name] += 1
        errors[name] += sample.is_error
        if sample.latency_ms is not None:
            latencies.append((name, sample.latency_ms))
    for name, count in counts.items():
        old = types.get(name, TypeCount(0, 0))
        types[name] = TypeCount(old.count + count, old.errors + errors[name], old.latency)
    return HotWindow(_with_latencies(types, latencies), records[-1].mark)


def _with_latencies(
    types: Mapping[str, TypeCount], latencies: Sequence[tuple[str, float]]
) -> Mapping[str, TypeCount]:
    """Take latencies one after another for as long as the histograms are below their limit."""
    if _latency_bytes(types) >= MAX_LATENCY_BYTES:
        return types
    whole = _merged(types, latencies)
    if _latency_bytes(whole) < MAX_LATENCY_BYTES:
        return whole
    # A histogram never gets shorter, so the first latency that reaches the limit can be searched.
    enough = bisect_left(
        range(len(latencies)),
        MAX_LATENCY_BYTES,
        key=lambda taken: _latency_bytes(_merged(types, latencies[:taken])),
    )
    return _merged(types, latencies[:enough])


def _latency_bytes(types: Mapping[str, TypeCount]) -> int:
    return sum(len(of.latency) for of in types.values() if of.latency)


def _merged(
    types: Mapping[str, TypeCount], latencies: Iterable[tuple[str, float]]
) -> Mapping[str, TypeCount]:
    values_ms: dict[str, list[float]] = {}
    for name, latency_ms in latencies:
        values_ms.setdefault(name, []).append(latency_ms)
    return {**types, **{name: _longer(types[name], values_ms[name]) for name in values_ms}}


def _longer(of: TypeCount, values_ms: Sequence[float]) -> TypeCount:
    new = Histogram.of(values_ms)
    whole = Histogram.decode(of.latency).merged(new) if of.latency else new
    return TypeCount(of.count, of.errors, whole.encode())
