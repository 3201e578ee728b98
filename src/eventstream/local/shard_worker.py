"""One thread per shard: read, collect, deliver, checkpoint."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from eventstream.local.buffer import Buffer
from eventstream.local.delivery import Delivery
from eventstream.local.shards import Read, ShardReader

logger = logging.getLogger(__name__)

_RETRY_S = 1.0
_GONE = frozenset({"ResourceNotFoundException"})


@dataclass(frozen=True)
class Progress:
    """How far a worker is.

    Attributes
    ----------
    caught_up_s
        When it last saw that everything in the shard was done; ``None`` if never.
    """

    caught_up_s: float | None = None


class ShardWorker:
    """Processes one shard until it ends or the poller stops.

    Parameters
    ----------
    shard_id
        The shard.
    reader, buffer, delivery
        What it reads with, collects in and delivers with.
    finish
        Called once when a closed shard is wholly done.
    stop
        Set when the poller stops.
    idle_s
        Pause between reads that bring nothing.
    now_s
        The clock, in seconds since 1970.
    """

    def __init__(
        self,
        shard_id: str,
        *,
        reader: ShardReader,
        buffer: Buffer,
        delivery: Delivery,
        finish: Callable[[], None],
        stop: threading.Event,
        idle_s: float,
        now_s: Callable[[], float],
    ) -> None:
        self.shard_id = shard_id
        self._reader = reader
        self._buffer = buffer
        self._delivery = delivery
        self._finish = finish
        self._stop = stop
        self._idle_s = idle_s
        self._now_s = now_s
        self._ended = False
        self._gone = False
        self._let_go = False
        self.progress = Progress()

    def run(self) -> None:
        """Work; returns when the shard is finished or gone, or the poller stops."""
        while not self._stop.is_set():
            try:
                if self._step():
                    return
            except ClientError as error:
                if error.response["Error"]["Code"] in _GONE:
                    self._end_early()
                else:
                    self._pause_after(error)
            except BotoCoreError as error:
                self._pause_after(error)
            except Exception:
                # Whoever looks for shards starts another worker, from the last checkpoint.
                logger.exception("shard %s: the worker failed", self.shard_id)
                return

    @property
    def let_go(self) -> bool:
        """Whether the stream has dropped the shard and all that was read of it is done."""
        return self._let_go

    def _end_early(self) -> None:
        """Deliver what was read and then end, because the stream has dropped the shard."""
        logger.warning("shard %s is gone from the stream", self.shard_id)
        self._ended = self._gone = True

    def lag_s(self, now_s: float) -> float | None:
        """Return the age of the oldest record that isn't done.

        Returns
        -------
        float | None
            0 when everything was done a moment ago. Between two batches, or while the shard can't
            be read: the time since everything was done. ``None`` before that is known.
        """
        # In the direction in which records go: what leaves the buffer meanwhile is found in the
        # delivery. The other way round it could be missed in both.
        arrivals = (self._buffer.oldest_arrival_s, self._delivery.oldest_arrival_s)
        waiting = [arrived_s for arrived_s in arrivals if arrived_s is not None]
        if waiting:
            return max(0.0, now_s - min(waiting))
        seen_s = self.progress.caught_up_s
        if seen_s is None:
            return None
        patience_s = 3 * self._idle_s + 1
        return 0.0 if now_s - seen_s <= patience_s else now_s - seen_s

    def _step(self) -> bool:
        """Deliver a batch or read once; say whether there is nothing more to do."""
        self._buffer.take(self._now_s(), at_once=self._ended, hand_over=self._delivery.accept)
        if self._delivery.oldest_arrival_s is not None:
            self._delivery.deliver()
            return False
        if self._ended:
            if self._gone:
                self._let_go = True
            else:
                self._finish()
            return True
        asked_s = self._now_s()
        read = self._reader.read(self._buffer.room)
        now_s = self._now_s()
        self._buffer.add(read.records, now_s)
        self._ended = read.ended
        if read.caught_up and not len(self._buffer):
            # As of the question: what was put while the answer was on its way is not in it.
            self.progress = Progress(caught_up_s=asked_s)
        self._pause(read, now_s)
        return False

    def _pause(self, read: Read, now_s: float) -> None:
        """Wait for more records, no longer than until the batch is due."""
        if not read.caught_up or read.ended or not self._buffer.room:
            return
        ripe_in_s = self._buffer.ripe_in_s(now_s)
        wait_s = self._idle_s if ripe_in_s is None else min(self._idle_s, ripe_in_s)
        if wait_s > 0:
            self._stop.wait(wait_s)

    def _pause_after(self, error: Exception) -> None:
        logger.warning("shard %s: %s", self.shard_id, error)
        self._stop.wait(_RETRY_S)
