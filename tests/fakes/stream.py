"""A stream in memory that can fail in every way the real one does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from common.errors import StoreError, ThrottledError
from common.ports.stream import (
    MAX_BYTES_PER_CALL,
    MAX_RECORDS_PER_CALL,
    PutFailure,
    StreamRecord,
)


@dataclass(frozen=True)
class Fault:
    """What goes wrong in one call: as a whole, or for the records at some positions."""

    whole: PutFailure | None = None
    stored_all_the_same: bool = False
    """The records arrive, and only the answer is lost."""
    entries: Mapping[int, PutFailure] = field(default_factory=dict)


class MemorySink:
    """Keeps what it acknowledged in ``stored``, in order; ``faults`` are met call by call."""

    def __init__(self, faults: Iterable[Fault | None] = ()) -> None:
        self._faults = iter(faults)
        self.calls: list[Sequence[StreamRecord]] = []
        self.stored: list[StreamRecord] = []

    def put(self, records: Sequence[StreamRecord]) -> Sequence[PutFailure | None]:
        if len(records) > MAX_RECORDS_PER_CALL:
            raise StoreError("too many records in one call")
        if sum(record.size_bytes for record in records) > MAX_BYTES_PER_CALL:
            raise StoreError("too many bytes in one call")
        self.calls.append(records)
        fault = next(self._faults, None) or Fault()
        if fault.whole is not None:
            if fault.stored_all_the_same:
                self.stored.extend(records)
            raise (ThrottledError if fault.whole == "throttled" else StoreError)("made to fail")
        results = [fault.entries.get(position) for position in range(len(records))]
        self.stored.extend(r for r, failure in zip(records, results, strict=True) if not failure)
        return results

    def events(self) -> list[dict[str, Any]]:
        """Return the events on the stream, in the order of their records."""
        return [json.loads(line) for record in self.stored for line in record.data.split(b"\n")]


class Hourglass:
    """A clock that only sleeping and calling moves."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.pauses: list[float] = []

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now_s += seconds
