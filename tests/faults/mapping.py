"""Lambda's event source mapping for one shard, with everything it may do to a batch.

A range may begin at any record up to the first unfinished one; new records come in order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from faults.traffic import Sent

Range = tuple[int, int]


@dataclass(frozen=True)
class Mapping:
    """What the mapping does in one family of schedules."""

    bisect: bool = False
    regress: float = 0.0
    """How often, after a success, the checkpoint falls back and batches are cut anew."""
    out_of_order: float = 0.0
    """How often, after a success, an old range comes again; both are rarer after a failure."""
    discard: bool = False
    """Give up half of the batches that failed twice."""
    largest_batch: int = 6


@dataclass
class Delivery:
    """A range under way; ``old`` ones come again out of order and move nothing."""

    span: Range
    old: bool = False
    tries: int = 1


@dataclass
class Lane:
    """The one reader of a shard (of one of a shard's lanes, where a control has several)."""

    records: list[Sent]
    how: Mapping
    rng: Random
    checkpoint: int = 0
    discarded: list[Sent] = field(default_factory=list)
    _pending: list[Delivery] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        return not self._pending and self.checkpoint >= len(self.records)

    def next(self) -> Delivery:
        """Choose what comes next: what failed, else the next new range."""
        if self._pending:
            return self._pending.pop()
        end = self.checkpoint + self.rng.randint(1, self.how.largest_batch)
        return Delivery((self.checkpoint, min(end, len(self.records))))

    def succeeded(self, delivery: Delivery) -> None:
        if not delivery.old:
            self.checkpoint = delivery.span[1]
        self._disturb(1.0)

    def failed(self, delivery: Delivery, *, done: int = 0) -> None:
        """Take a failure that says its first ``done`` records are finished."""
        begin, end = delivery.span[0] + done, delivery.span[1]
        if delivery.old:
            self._pending.append(Delivery((begin, end), old=True))
        elif self.how.discard and delivery.tries >= 2 and self.rng.random() < 0.5:
            self._count("discarded")
            self.discarded += self.records[begin:end]
            self.checkpoint = end
        else:
            self.checkpoint = begin
            self._again(begin, end, delivery.tries + 1)
        self._disturb(0.1)

    def _again(self, begin: int, end: int, tries: int) -> None:
        if self.how.bisect and end - begin > 1 and self.rng.random() < 0.5:
            self._count("bisected")
            middle = (begin + end) // 2
            # The last one comes first: the halves keep their order.
            self._pending += [Delivery((middle, end)), Delivery((begin, middle))]
        else:
            self._pending.append(Delivery((begin, end), tries=tries))

    def _disturb(self, share: float) -> None:
        if self.checkpoint and self.rng.random() < self.how.regress * share:
            self._count("regressed")
            self.checkpoint = max(0, self.checkpoint - self.rng.randint(1, 6))
            self._pending = [delivery for delivery in self._pending if delivery.old]
        if self.checkpoint and self.rng.random() < self.how.out_of_order * share:
            self._count("out of order")
            begin = self.rng.randrange(self.checkpoint)
            end = self.rng.randint(begin + 1, self.checkpoint)
            self._pending.append(Delivery((begin, end), old=True))

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1
