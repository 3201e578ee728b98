"""When records that were read become a batch. Pure: no clock, no AWS.

Source: "Batching behavior" in the Lambda developer guide: a batch is sent when the batching window
has passed, the batch size is reached or the payload reaches 6 MB.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from eventstream.local.batches import Batch
from eventstream.local.records import Record, fitting


@dataclass
class Buffer:
    """Records read from a shard that wait to become a batch.

    One thread fills and empties it; others may ask for the oldest arrival at any time.

    Parameters
    ----------
    batch_size
        Most records of a batch.
    window_s
        Longest that a record waits for others.
    """

    batch_size: int
    window_s: float
    _waiting: tuple[tuple[float, Record], ...] = ()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def room(self) -> int:
        """Records that still fit into the next batch."""
        return max(0, self.batch_size - len(self._waiting))

    @property
    def oldest_arrival_s(self) -> float | None:
        """When the first waiting record arrived at the stream; ``None`` without records."""
        waiting = self._waiting
        return waiting[0][1].arrived_at_s if waiting else None

    def add(self, records: Iterable[Record], now_s: float) -> None:
        """Put records behind the others."""
        self._waiting += tuple((now_s, record) for record in records)

    def ripe_in_s(self, now_s: float) -> float | None:
        """Return how long the first waiting record has still to wait; ``None`` without records."""
        return self._waiting[0][0] + self.window_s - now_s if self._waiting else None

    def take(
        self,
        now_s: float,
        *,
        at_once: bool = False,
        hand_over: Callable[[Batch], None] = lambda _batch: None,
    ) -> Batch | None:
        """Return the next batch, when it is time to send it.

        Parameters
        ----------
        now_s
            The clock that `add` was given, too.
        at_once
            Whether to send what there is, because nothing more will come.
        hand_over
            Gets the batch before it leaves the buffer: so its records are in one place or the
            other at every instant.

        Returns
        -------
        Batch | None
            A batch when it is full in number or in bytes, or when its first record has waited
            for the window; else ``None``.
        """
        if not self._waiting:
            return None
        candidates = [record for _, record in self._waiting[: self.batch_size]]
        count = fitting(candidates)
        full = count < len(candidates) or len(candidates) >= self.batch_size
        waited = now_s - self._waiting[0][0] >= self.window_s
        if not (full or waited or at_once):
            return None
        batch = Batch(tuple(candidates[:count]))
        hand_over(batch)
        self._waiting = self._waiting[count:]
        return batch
