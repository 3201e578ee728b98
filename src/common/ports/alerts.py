"""The outbox of alerts, and where alerts are sent.

Exactly once is not to be had over a topic that delivers at least once. So an alert is a row
first, is sent from the row, and is marked after it was sent: none is lost, and one is sent twice
only when the sender dies between the two, with the same ``alert_id``.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import datetime
from typing import Protocol

from common.models import AnomalyAlert

LEASE_SECONDS = 45
"""How long one sender has an alert to itself; longer than the publish call may take."""


class AlertOutbox(Protocol):
    """Rows are ``PENDING`` (to be sent), ``SENT``, or ``RESOLVED`` (no longer true, never sent).

    Every method raises ``ThrottledError`` or ``StoreError`` when the store does not answer.
    """

    def record(self, alerts: Sequence[AnomalyAlert], attempt: int) -> None:
        """Have each alert sent, unless it was sent before.

        A row that waits takes the newer figures; one that was resolved unsent waits again; one
        that was sent stays sent, and is no longer resolved. What a later attempt at the hour
        wrote is left alone.
        """
        ...

    def resolve(self, hour: datetime, still: Set[str], attempt: int, at: datetime) -> None:
        """Mark the alerts of an hour that its results no longer bear out.

        Parameters
        ----------
        hour
            The hour that was aggregated again.
        still
            Ids of the alerts that hold.
        attempt
            Attempt that the results are of; rows that a later one wrote are left alone.
        at
            Instant to mark them with.

        Notes
        -----
        A waiting row becomes ``RESOLVED``. One that was sent stays ``SENT`` and carries
        ``resolved_at``, since nobody can take back what a reader has seen. One that is resolved
        already takes the attempt, so that an earlier one can't bring it back.
        """
        ...

    def resolve_one(self, alert: AnomalyAlert, attempt: int, at: datetime) -> None:
        """Mark one alert as :meth:`resolve` does."""
        ...

    def pending(self) -> list[AnomalyAlert]:
        """Return every alert that waits, oldest hour first.

        Read from an index that may lag behind by a moment; what is missed now is found by the
        next call.
        """
        ...

    def count_pending(self) -> int:
        """Return how many alerts wait."""
        ...

    def lease(self, alert: AnomalyAlert, now: datetime) -> bool:
        """Take an alert for :data:`LEASE_SECONDS`; ``False`` if it does not wait or is taken."""
        ...

    def release(self, alert: AnomalyAlert, now: datetime) -> None:
        """Give back the lease that was taken at ``now``, after a publish that failed."""
        ...

    def mark_sent(self, alert: AnomalyAlert, at: datetime) -> None:
        """Mark an alert as sent, for good."""
        ...


class AlertPublisher(Protocol):
    """Where alerts go."""

    def publish(self, alert: AnomalyAlert) -> None:
        """Send an alert; it may arrive more than once.

        Raises
        ------
        ThrottledError, StoreError
            It may not have been sent.
        """
        ...
