"""Loading many events: batches, a few at a time, each answered for before it counts as done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from eventstream.load.client import Patience, Poster
from eventstream.load.delivery import Outcome, deliver
from eventstream.load.progress import Done
from eventstream.load.report import Batch, LoadReport
from eventstream.load.rules import RowError
from eventstream.load.source import NumberedEvent

REFUSED_AT_ONCE = 2_000
"""A load whose first so many events are all refused is stopped: the rest would fare alike."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast to send."""

    batch: int = 500
    concurrency: int = 4
    rate: float | None = None
    """Events per second at most; ``None`` for as fast as the API answers."""


def make_batches(events: Iterable[NumberedEvent], done: Done, size: int) -> Iterator[Batch]:
    """Cut a source into batches of rows, leaving out those that are done.

    Parameters
    ----------
    events
        Numbered rows in ascending order.
    done
        What earlier runs did.
    size
        Rows a batch.
    """
    batch: Batch | None = None
    for number, event in _without(events, done):
        # A batch's rows are recorded as one range, so it must not reach over rows left out.
        if batch and (number != batch.last + 1 or number - batch.first >= size):
            yield batch
            batch = None
        batch = batch or Batch(number, number)
        batch.last = number
        if isinstance(event, RowError):
            batch.bad_rows.append((number, event))
        else:
            batch.rows.append(number)
            batch.events.append(event)
    if batch:
        yield batch


def _without(events: Iterable[NumberedEvent], done: Done) -> Iterator[NumberedEvent]:
    ranges = iter(done.ranges)
    current = next(ranges, None)
    for number, event in events:
        while current is not None and current[1] < number:
            current = next(ranges, None)
        if current is None or number < current[0]:
            yield number, event


class Loader:
    """Sends batches and counts what became of every event.

    Parameters
    ----------
    api
        Where to.
    pace
        How fast.
    patience
        When a busy API is asked again, and when a batch is given up.
    on_answer
        Called in the calling thread for each batch that was sent, in no order.
    now
        The clock, in seconds.
    """

    def __init__(
        self,
        api: Poster,
        pace: Pace,
        patience: Patience,
        on_answer: Callable[[Batch, Outcome], None],
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api, self._pace, self._on_answer, self._now = api, pace, on_answer, now
        self._stop = threading.Event()
        self._patience = replace(
            patience, stopped=self._stop.is_set, sleep=patience.sleep or self._stop.wait
        )
        self._submitted = 0
        self.report = LoadReport()

    def run(self, batches: Iterable[Batch]) -> LoadReport:
        """Send every batch; stop early when one is given up or nothing at all is accepted.

        ``KeyboardInterrupt`` ends the load after the answers that are under way.
        """
        started = self._now()
        pending: dict[Future[Outcome], Batch] = {}
        with ThreadPoolExecutor(self._pace.concurrency, thread_name_prefix="load") as pool:
            try:
                self._submit_all(batches, pool, pending, started)
                self._collect(pending, most=0)
            except KeyboardInterrupt:
                self.report.interrupted = True
                self._stop.set()
                self._collect(pending, most=0)
            finally:
                self._stop.set()
                self.report.seconds = self._now() - started
        return self.report

    def _submit_all(
        self,
        batches: Iterable[Batch],
        pool: ThreadPoolExecutor,
        pending: dict[Future[Outcome], Batch],
        started: float,
    ) -> None:
        for batch in batches:
            self._keep_pace(started, len(batch.events))
            pending[pool.submit(self._send, batch)] = batch
            # As many again wait as are under way, so that no connection idles.
            self._collect(pending, most=2 * self._pace.concurrency - 1)
            if self.report.problem:
                return

    def _send(self, batch: Batch) -> Outcome:
        if self._stop.is_set():
            return Outcome(sent=0)
        return deliver(self._api, batch.events, self._patience)

    def _keep_pace(self, started: float, count: int) -> None:
        if self._pace.rate is not None:
            early_s = started + self._submitted / self._pace.rate - self._now()
            if early_s > 0:
                self._patience.pause(early_s)
        self._submitted += count

    def _collect(self, pending: dict[Future[Outcome], Batch], *, most: int) -> None:
        """Take answers until at most ``most`` batches are under way."""
        while len(pending) > most:
            finished, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in finished:
                self._take(pending.pop(future), future.result())

    def _take(self, batch: Batch, outcome: Outcome) -> None:
        if batch.events and not outcome.sent:
            return  # Stopped before its turn came: it is a later run's.
        report = self.report
        report.count(batch, outcome)
        self._on_answer(batch, outcome)
        if outcome.given_up and not self._stop.is_set():
            self._give_up(
                f"the API stopped taking events; its last answer was: {outcome.last_problem}"
            )
        elif not report.accepted and report.rejected >= REFUSED_AT_ONCE:
            self._give_up(f"the first {report.rejected:,} events were all refused")

    def _give_up(self, problem: str) -> None:
        # The batches under way must not each wait as long again.
        self._stop.set()
        self.report.problem = problem
