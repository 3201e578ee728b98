"""The outbox of alerts in memory, and a topic that keeps what it is sent.

``step`` is called before each write, as in :mod:`fakes.aggregates`.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.errors import StoreError
from common.models import AnomalyAlert
from common.ports.alerts import LEASE_SECONDS, AlertOutbox, AlertPublisher
from fakes.aggregates import Step, no_step


@dataclass
class AlertRow:
    alert: AnomalyAlert
    state: str
    attempt: int
    leased_until: datetime | None = None
    sent_at: datetime | None = None
    resolved_at: datetime | None = None


class MemoryAlertOutbox(AlertOutbox):
    def __init__(self, step: Step = no_step) -> None:
        self.step = step
        self.rows: dict[str, AlertRow] = {}

    def record(self, alerts: Sequence[AnomalyAlert], attempt: int) -> None:
        for alert in alerts:
            self.step("record_alert")
            row = self.rows.get(alert.alert_id)
            if row is None:
                self.rows[alert.alert_id] = AlertRow(alert, "PENDING", attempt)
            elif row.attempt <= attempt:
                row.attempt, row.resolved_at = attempt, None
                if row.state != "SENT":
                    row.state = "PENDING"
                    row.alert = row.alert.model_copy(update={"finding": alert.finding})

    def resolve(self, hour: datetime, still: Set[str], attempt: int, at: datetime) -> None:
        self.step("find_alerts")
        for row in list(self.rows.values()):
            if row.alert.window_start != hour or row.alert.alert_id in still:
                continue
            self.resolve_one(row.alert, attempt, at)

    def resolve_one(self, alert: AnomalyAlert, attempt: int, at: datetime) -> None:
        self.step("resolve_alert")
        row = self.rows[alert.alert_id]
        if row.attempt <= attempt:
            row.attempt, row.resolved_at = attempt, row.resolved_at or at
            row.state = "RESOLVED" if row.state == "PENDING" else row.state

    def pending(self) -> list[AnomalyAlert]:
        self.step("pending_alerts")
        waiting = [row.alert for row in self.rows.values() if row.state == "PENDING"]
        return sorted(waiting, key=lambda alert: (alert.window_start, alert.alert_id))

    def count_pending(self) -> int:
        return len(self.pending())

    def lease(self, alert: AnomalyAlert, now: datetime) -> bool:
        self.step("lease_alert")
        row = self.rows[alert.alert_id]
        taken = row.leased_until is not None and row.leased_until > now
        if row.state != "PENDING" or taken:
            return False
        row.leased_until = now + timedelta(seconds=LEASE_SECONDS)
        return True

    def release(self, alert: AnomalyAlert, now: datetime) -> None:
        self.step("release_alert")
        row = self.rows[alert.alert_id]
        if row.leased_until == now + timedelta(seconds=LEASE_SECONDS):
            row.leased_until = None

    def mark_sent(self, alert: AnomalyAlert, at: datetime) -> None:
        self.step("mark_alert_sent")
        row = self.rows[alert.alert_id]
        row.state, row.sent_at, row.leased_until = "SENT", row.sent_at or at, None


class MemoryAlertPublisher(AlertPublisher):
    def __init__(self, step: Step = no_step) -> None:
        self.step = step
        self.published: list[AnomalyAlert] = []
        self.refuses: set[str] = set()

    def publish(self, alert: AnomalyAlert) -> None:
        self.step("publish_alert")
        if alert.alert_id in self.refuses:
            raise StoreError("sns:Publish failed: InternalError")
        self.published.append(alert)
