"""Put records on the stream: read every answer, send again what failed, keep to a time limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from math import inf

from common.errors import StoreError, ThrottledError
from common.ports.stream import (
    MAX_BYTES_PER_CALL,
    MAX_RECORDS_PER_CALL,
    EventSink,
    PutFailure,
    StreamRecord,
)

MAX_TRIES = 3
"""Times that records are offered while the stream takes none of them. A stream that takes some
each time is full, and goes on taking: to stop would have the whole request sent again."""
TIME_LIMIT_S = 5.0
"""Seconds after the first call within which the last may begin."""
CALL_LIMIT_S = 3.0
"""Seconds that one call may take: one to connect, two to be answered."""
ANSWER_S = 0.5
"""Seconds that are left for the answer after the last call."""
BACKOFF_BASE_S = 0.25
"""Most that the first pause lasts; each later one may last twice the one before."""
MAX_BACKOFF_S = 0.5
"""Most that any pause lasts."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How time passes for the sender."""

    clock: Callable[[], float]
    """Seconds on a clock that never goes back."""
    sleep: Callable[[float], None]
    random: Callable[[], float]
    """A number in ``[0, 1)``."""


def deliver(
    records: Sequence[StreamRecord],
    sink: EventSink,
    waiting: Waiting,
    note: Callable[[str], None],
    *,
    ends_at_s: float = inf,
) -> list[PutFailure | None]:
    """Offer records until each is acknowledged, or tries or time run out.

    Pauses are drawn with full jitter (uniformly from nothing to twice the last bound), so that
    senders that were refused together do not come back together. ``note`` is told why a call
    failed as a whole. No call begins that might not end in time for an answer before ``ends_at_s``
    on the clock of ``waiting``, not even the first.

    Returns
    -------
    list
        One entry per record, in order: ``None`` when the stream acknowledged it, and only then.
        A record that is not acknowledged may be on the stream all the same.
    """
    outcomes: list[PutFailure | None] = ["store_failed"] * len(records)
    pending: Sequence[int] = range(len(records))
    deadline = min(waiting.clock() + TIME_LIMIT_S, ends_at_s - CALL_LIMIT_S - ANSWER_S)
    took = True
    for tries in count():
        if tries:
            if tries >= MAX_TRIES and not took:
                break
            bound = min(BACKOFF_BASE_S * 2 ** (tries - 1), MAX_BACKOFF_S)
            pause = waiting.random() * bound
            if waiting.clock() + pause >= deadline:
                break
            waiting.sleep(pause)
        for chunk in _chunks(records, pending):
            if waiting.clock() >= deadline:
                break
            results = _offer([records[i] for i in chunk], sink, note)
            for i, result in zip(chunk, results, strict=True):
                outcomes[i] = result
        left = [i for i in pending if outcomes[i] is not None]
        took, pending = len(left) < len(pending), left
        if not pending or waiting.clock() >= deadline:
            break
    return outcomes


def _offer(
    records: Sequence[StreamRecord], sink: EventSink, note: Callable[[str], None]
) -> Sequence[PutFailure | None]:
    failure: PutFailure
    try:
        return sink.put(records)
    except (ThrottledError, StoreError) as error:
        note(error.message)
        failure = "throttled" if isinstance(error, ThrottledError) else "store_failed"
        return [failure] * len(records)


def _chunks(records: Sequence[StreamRecord], positions: Sequence[int]) -> Iterator[Sequence[int]]:
    chunk: list[int] = []
    size = 0
    for position in positions:
        added = records[position].size_bytes
        if chunk and (len(chunk) == MAX_RECORDS_PER_CALL or size + added > MAX_BYTES_PER_CALL):
            yield chunk
            chunk, size = [], 0
        chunk.append(position)
        size += added
    if chunk:
        yield chunk
