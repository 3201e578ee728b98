"""The stream, as whoever writes to it sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

MAX_RECORDS_PER_CALL = 500
"""Records that one call of :meth:`EventSink.put` may carry."""
MAX_BYTES_PER_CALL = 5_000_000
"""Bytes of data and partition keys that one call may carry."""

PutFailure = Literal["throttled", "store_failed"]
"""Why the stream did not take a record: the code of the error in :mod:`common.errors`."""


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One record on its way to the stream."""

    data: bytes
    """Events as JSON lines, joined by ``\\n``."""
    partition_key: str
    explicit_hash_key: str
    """Decides the shard; a decimal number below 2**128."""
    stream: str | None = None
    """Name of the stream of the event's family; ``None`` stands for the default stream."""

    @property
    def size_bytes(self) -> int:
        """What the record counts towards :data:`MAX_BYTES_PER_CALL`."""
        return len(self.data) + len(self.partition_key)


class EventSink(Protocol):
    """Takes records for the stream."""

    def put(self, records: Sequence[StreamRecord]) -> Sequence[PutFailure | None]:
        """Offer records to the stream once, without trying again.

        Returns
        -------
        Sequence
            One entry per record, in order: ``None`` when the stream acknowledged it, and only
            then. Any record may fail while its neighbours succeed.

        Raises
        ------
        ThrottledError, StoreError
            The call as a whole failed. Nothing is acknowledged, though records may be stored.
        """
        ...
