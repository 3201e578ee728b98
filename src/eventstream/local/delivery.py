"""Sending a batch to its function until every record is done or given up."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from eventstream.local.batches import (
    Batch,
    Outcome,
    Policy,
    Verdict,
    backoff_s,
    give_up_old,
    judge,
    outcome,
)
from eventstream.local.on_failure import LastCall

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Call:
    """How a call of the function ended.

    Attributes
    ----------
    answer
        What the function returned.
    error
        ``Unhandled`` when it failed.
    reached
        Whether the function was called at all; throttling and a missing emulator prevent that.
    """

    request_id: str = ""
    answer: Any = None
    error: str | None = None
    reached: bool = True


class Shelf(Protocol):
    """Where the results of a delivery go."""

    def checkpoint(self, sequence: str) -> None:
        """Note that everything up to a sequence number is done."""

    def discard(self, batch: Batch, condition: str, last: LastCall | None) -> None:
        """Keep a batch that was given up."""


class Delivery:
    """Delivers the batches of one shard, one at a time and in order.

    Parameters
    ----------
    invoke
        Calls the function with a batch.
    shelf
        Where checkpoints and discarded batches go.
    policy
        The mapping's.
    now_s
        The clock, in seconds since 1970.
    wait
        Waits for so many seconds; returns true when the poller is stopping.
    """

    def __init__(
        self,
        *,
        invoke: Callable[[Batch], Call],
        shelf: Shelf,
        policy: Policy,
        now_s: Callable[[], float],
        wait: Callable[[float], bool],
    ) -> None:
        self._invoke = invoke
        self._shelf = shelf
        self._policy = policy
        self._now_s = now_s
        self._wait = wait
        # Replaced as a whole: at no instant does another thread see a part of what isn't done.
        self._queue: tuple[Batch, ...] = ()

    @property
    def oldest_arrival_s(self) -> float | None:
        """When the first record that is not done arrived; ``None`` when there is none."""
        queue = self._queue
        return queue[0].records[0].arrived_at_s if queue else None

    def accept(self, batch: Batch) -> None:
        """Take a batch to be delivered after those before it."""
        self._queue += (batch,)

    def deliver(self) -> bool:
        """Deliver the batches that were accepted.

        Returns
        -------
        bool
            Whether everything is done; false when the poller is stopping first. What isn't done
            then has no checkpoint, and is delivered again at the next start.
        """
        misses = 0
        while self._queue:
            if self._wait(0):
                return False
            current = self._queue[0]
            verdict = give_up_old(current, self._policy, self._now_s())
            if verdict is not None:
                self._settle(verdict, None)
                continue
            call = self._invoke(current)
            if not call.reached:
                # "Before invocation ... it retries until the records expire": no attempt is used.
                misses += 1
                self._wait(backoff_s(misses))
                continue
            misses = 0
            result = self._result(current, call)
            self._settle(
                judge(current, result, self._policy), LastCall(call.request_id, call.error)
            )
        return True

    def _result(self, batch: Batch, call: Call) -> Outcome:
        if call.error is not None:
            return Outcome(failed=True)
        return outcome(batch, call.answer, self._policy)

    def _settle(self, verdict: Verdict, last: LastCall | None) -> None:
        """Put a verdict into effect: first keep what is discarded, then move the checkpoint."""
        if verdict.discarded is not None:
            discarded, condition = verdict.discarded, verdict.condition
            logger.warning("gave up %d records: %s", len(discarded.records), condition)
            self._shelf.discard(discarded, condition, last)
        if verdict.checkpoint is not None:
            self._shelf.checkpoint(verdict.checkpoint)
        self._queue = verdict.left + self._queue[1:]
        if verdict.backoff_s and self._queue:
            self._wait(verdict.backoff_s)
