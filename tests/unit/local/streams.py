"""A shard, a function and a shelf that tests can look into."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from eventstream.local.batches import Batch
from eventstream.local.delivery import Call
from eventstream.local.on_failure import LastCall
from eventstream.local.records import Record


def a_record(number: int, arrived_at_s: float = 0.0, size_bytes: int = 20) -> Record:
    """A record whose sequence number is its number."""
    sequence = f"{number:056d}"
    return Record(sequence, arrived_at_s, f'{{"n": "{sequence}"}}'.ljust(size_bytes))


def records(*numbers: int) -> tuple[Record, ...]:
    return tuple(a_record(number) for number in numbers)


def numbers(batch: Batch | Sequence[Record]) -> list[int]:
    every = batch.records if isinstance(batch, Batch) else batch
    return [int(record.sequence) for record in every]


@dataclass
class Clock:
    now_s: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Function:
    """A function that fails, or asks again, from the first poisoned record on."""

    poison: set[int] = field(default_factory=set)
    partial: bool = False
    calls: list[list[int]] = field(default_factory=list)
    before: Callable[[int], Call | None] = lambda _call: None

    def __call__(self, batch: Batch) -> Call:
        self.calls.append(numbers(batch))
        special = self.before(len(self.calls))
        if special is not None:
            return special
        bad = [record for record in batch.records if int(record.sequence) in self.poison]
        if not bad:
            return Call("id", answer={"batchItemFailures": []} if self.partial else None)
        if self.partial:
            failures = [{"itemIdentifier": record.sequence} for record in bad]
            return Call("id", answer={"batchItemFailures": failures})
        return Call("id", error="Unhandled")


@dataclass
class Shelf:
    """Keeps what a delivery gives it."""

    checkpoints: list[int] = field(default_factory=list)
    discarded: list[tuple[list[int], str, int]] = field(default_factory=list)
    last_calls: list[LastCall | None] = field(default_factory=list)

    def checkpoint(self, sequence: str) -> None:
        self.checkpoints.append(int(sequence))

    def discard(self, batch: Batch, condition: str, last: LastCall | None) -> None:
        self.discarded.append((numbers(batch), condition, batch.attempts))
        self.last_calls.append(last)


def no_wait(_seconds: float) -> bool:
    return False


def answer(*identifiers: Any) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": each} for each in identifiers]}
