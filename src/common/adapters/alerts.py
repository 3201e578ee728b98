"""The outbox of alerts in the aggregates table, and the topic that alerts are sent to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from common.adapters.calls import in_parallel, our_errors
from common.adapters.table import Table
from common.domain.keys import ALERTS_PK, ALL_TYPES, OPEN_INDEX, OTHER_TYPES, alert_sk
from common.domain.windows import iso_hour, rfc3339, to_ms
from common.models import EVENT_TYPE_PATTERN, AnomalyAlert
from common.ports.alerts import LEASE_SECONDS, AlertOutbox, AlertPublisher

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sns import SNSClient

_SUBJECT_CHARACTERS = 99
"""SNS wants fewer than 100."""

_NOT_NEWER = "(attribute_not_exists(#attempt) OR #attempt <= :mine)"
"""Say that no later attempt at the hour wrote the row."""

_SAFE_TYPE = re.compile(EVENT_TYPE_PATTERN)


class DynamoAlertOutbox(AlertOutbox):
    """A row waits while it carries ``open``, which is what the sparse index lists."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._table = Table(client, table)

    def record(self, alerts: Sequence[AnomalyAlert], attempt: int) -> None:
        in_parallel(lambda alert: self._record(alert, attempt), alerts)

    def resolve(self, hour: datetime, still: Set[str], attempt: int, at: datetime) -> None:
        rows = self._table.query(
            "#pk = :pk AND begins_with(#sk, :hour)",
            {"pk": ALERTS_PK, "hour": f"{iso_hour(hour)}#"},
            select=("sk", "alert_id"),
        )
        gone = [row["sk"] for row in rows if row["alert_id"] not in still]
        in_parallel(lambda sk: self._resolve(sk, attempt, at), gone)

    def resolve_one(self, alert: AnomalyAlert, attempt: int, at: datetime) -> None:
        self._resolve(_sk(alert), attempt, at)

    def pending(self) -> list[AnomalyAlert]:
        return [AnomalyAlert.model_validate(row) for row in self._waiting()]

    def count_pending(self) -> int:
        return sum(1 for _ in self._waiting("sk"))

    def lease(self, alert: AnomalyAlert, now: datetime) -> bool:
        return self._update(
            _sk(alert),
            "SET #lease_until = :until",
            "#state = :pending AND (attribute_not_exists(#lease_until) OR #lease_until <= :now)",
            {"pending": "PENDING", "now": to_ms(now), "until": _lease_until(now)},
        )

    def release(self, alert: AnomalyAlert, now: datetime) -> None:
        self._update(
            _sk(alert),
            "REMOVE #lease_until",
            "#lease_until = :until",
            {"until": _lease_until(now)},
        )

    def mark_sent(self, alert: AnomalyAlert, at: datetime) -> None:
        self._update(
            _sk(alert),
            "SET #state = :sent, #sent_at = if_not_exists(#sent_at, :at) "
            "REMOVE #open, #lease_until",
            "attribute_exists(#pk)",
            {"sent": "SENT", "at": at},
        )

    def _record(self, alert: AnomalyAlert, attempt: int) -> None:
        row = {
            "pk": ALERTS_PK,
            "sk": _sk(alert),
            **alert.model_dump(),
            "state": "PENDING",
            "open": "ALERT",
            "attempt": attempt,
        }
        if self._table.put(row, "attribute_not_exists(#pk)", {}):
            return
        mine = {"mine": attempt}
        waits_again = self._update(
            _sk(alert),
            "SET #state = :pending, #open = :alert, #finding = :finding, #attempt = :mine "
            "REMOVE #resolved_at",
            f"#state IN (:pending, :resolved) AND {_NOT_NEWER}",
            {
                **mine,
                "pending": "PENDING",
                "resolved": "RESOLVED",
                "alert": "ALERT",
                "finding": alert.finding.model_dump(),
            },
        )
        if not waits_again:
            self._update(
                _sk(alert),
                "SET #attempt = :mine REMOVE #resolved_at",
                f"#state = :sent AND {_NOT_NEWER}",
                {**mine, "sent": "SENT"},
            )

    def _resolve(self, sk: str, attempt: int, at: datetime) -> None:
        values = {"mine": attempt, "at": at}
        unsent = self._update(
            sk,
            "SET #state = :resolved, #resolved_at = :at, #attempt = :mine REMOVE #open",
            f"#state = :pending AND {_NOT_NEWER}",
            {**values, "pending": "PENDING", "resolved": "RESOLVED"},
        )
        if not unsent:
            self._update(
                sk,
                "SET #resolved_at = if_not_exists(#resolved_at, :at), #attempt = :mine",
                f"#state IN (:sent, :resolved) AND {_NOT_NEWER}",
                {**values, "sent": "SENT", "resolved": "RESOLVED"},
            )

    def _waiting(self, *select: str) -> Iterator[dict[str, Any]]:
        return self._table.query(
            "#open = :alert", {"alert": "ALERT"}, index=OPEN_INDEX, select=select
        )

    def _update(self, sk: str, update: str, condition: str, values: Mapping[str, object]) -> bool:
        return self._table.update(ALERTS_PK, sk, update, condition, values)


class SnsAlertPublisher(AlertPublisher):
    """Publishes to one topic; subscribers filter by ``event_type``, ``metric``, ``direction``."""

    def __init__(self, client: SNSClient, topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def publish(self, alert: AnomalyAlert) -> None:
        with our_errors("sns:Publish"):
            self._client.publish(
                TopicArn=self._topic_arn,
                Subject=subject_of(alert),
                Message=message_of(alert),
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in _attributes(alert).items()
                },
            )


def subject_of(alert: AnomalyAlert) -> str:
    """Return a line for the head of an e-mail: ASCII without control characters, and short."""
    finding = alert.finding
    text = (
        f"EventStream: {finding.metric} {finding.direction} "
        f"at {iso_hour(alert.window_start)} UTC, {alert.event_type}"
    )
    return re.sub(r"[^ -~]", "?", text)[:_SUBJECT_CHARACTERS]


def message_of(alert: AnomalyAlert) -> str:
    """Return the message: a sentence for a person in ``text``, and the alert for a program."""
    text = f"{alert.window_start:%Y-%m-%d}: {alert.finding.explanation}"
    body = {
        "text": text,
        **alert.model_dump(mode="json"),
        **{name: rfc3339(getattr(alert, name)) for name in ("window_start", "window_end")},
        "created_at": rfc3339(alert.created_at),
    }
    return json.dumps(body, indent=2)


def _attributes(alert: AnomalyAlert) -> dict[str, str]:
    """Name what subscribers filter by; a type is client data and goes along only if harmless."""
    attributes = {"metric": alert.finding.metric, "direction": alert.finding.direction}
    event_type = alert.event_type
    if event_type in (ALL_TYPES, OTHER_TYPES) or _SAFE_TYPE.fullmatch(event_type):
        return {**attributes, "event_type": event_type}
    return dict(attributes)


def _sk(alert: AnomalyAlert) -> str:
    return alert_sk(alert.window_start, alert.alert_id)


def _lease_until(now: datetime) -> int:
    return to_ms(now + timedelta(seconds=LEASE_SECONDS))
