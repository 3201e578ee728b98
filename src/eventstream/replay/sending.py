"""Put replayed events on the stream as ingest does: packed, and answered for one by one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from common.domain.partitions import explicit_hash_key
from common.domain.stream_routes import pack_by_stream
from common.ports.stream import EventSink, StreamRecord
from eventstream.replay.judging import Ready
from ingest.delivery import Waiting, deliver

_LONGEST_PAUSE_S = 5.0


def _system_time() -> Waiting:
    return Waiting(time.monotonic, time.sleep, random.random)


@dataclass
class Pace:
    """Lets so many events a second through, on the average since the first."""

    rate: float | None = None
    waiting: Waiting = field(default_factory=_system_time)
    _begun_s: float | None = field(default=None, init=False)
    _passed: int = field(default=0, init=False)

    def pass_through(self, count: int) -> None:
        """Wait until the next events may go."""
        if self.rate is None:
            return
        now_s = self.waiting.clock()
        self._begun_s = now_s if self._begun_s is None else self._begun_s
        early_s = self._begun_s + self._passed / self.rate - now_s
        if early_s > 0:
            self.waiting.sleep(early_s)
        self._passed += count


@dataclass
class Sender:
    """Puts events on their streams until each is acknowledged, or patience ends.

    Attributes
    ----------
    sink
        The streams.
    buckets
        The deployment's ``PartitionBuckets``.
    give_up_after_s
        How long a stream that takes nothing is asked again.
    """

    sink: EventSink
    buckets: int
    pace: Pace = field(default_factory=Pace)
    waiting: Waiting = field(default_factory=_system_time)
    give_up_after_s: float = 60.0
    note: Callable[[str], None] = lambda _reason: None

    def send(self, events: Sequence[Ready]) -> Sequence[bool]:
        """Say of each event whether the stream acknowledged it."""
        self.pace.pass_through(len(events))
        packs = pack_by_stream([(each.stream, each.bucket, each.data) for each in events])
        records = [
            StreamRecord(
                each.pack.data,
                str(each.pack.bucket),
                explicit_hash_key(each.pack.bucket, self.buckets),
                each.stream,
            )
            for each in packs
        ]
        acknowledged = [False] * len(events)
        for each, taken in zip(packs, self._deliver(records), strict=True):
            for member in each.pack.members:
                acknowledged[member] = taken
        return acknowledged

    def _deliver(self, records: Sequence[StreamRecord]) -> list[bool]:
        taken = [False] * len(records)
        pending = list(range(len(records)))
        ends_at_s = self.waiting.clock() + self.give_up_after_s
        pause_s = 0.5
        while pending:
            some = [records[at] for at in pending]
            answers = deliver(some, self.sink, self.waiting, self.note)
            for at, failure in zip(pending, answers, strict=True):
                taken[at] = failure is None
            before, pending = len(pending), [at for at in pending if not taken[at]]
            if len(pending) < before:
                ends_at_s = self.waiting.clock() + self.give_up_after_s
                pause_s = 0.5
            if not pending or self.waiting.clock() + pause_s > ends_at_s:
                break
            self.waiting.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        return taken
