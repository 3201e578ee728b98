"""The fake outbox of the tests and the adapter on DynamoDB must behave alike; SNS beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import boto3
import pytest
from moto import mock_aws

from common.adapters.alerts import DynamoAlertOutbox, SnsAlertPublisher, message_of, subject_of
from common.adapters.readings import DynamoReadings
from common.domain.keys import alert_sk
from common.domain.windows import HOUR
from common.errors import StoreError
from common.models import AggregationResult, AnomalyAlert, AnomalyFinding
from common.ports.alerts import LEASE_SECONDS, AlertOutbox
from contract.tables import create_aggregates_table
from fakes.alerts import MemoryAlertOutbox

NINE = datetime(2026, 11, 20, 9, tzinfo=UTC)
NOW = NINE + timedelta(minutes=67)
LATER = NOW + timedelta(seconds=LEASE_SECONDS)
TABLE = "aggregates"


class Outbox(AlertOutbox, Protocol):
    def row(self, alert: AnomalyAlert) -> tuple[str, bool, float]:
        """Return state, whether it is resolved, and the value that was found."""
        ...


class MemoryOutbox(MemoryAlertOutbox):
    def row(self, alert: AnomalyAlert) -> tuple[str, bool, float]:
        row = self.rows[alert.alert_id]
        return row.state, row.resolved_at is not None, row.alert.finding.value


class DynamoOutbox(DynamoAlertOutbox):
    def __init__(self, client: Any) -> None:
        super().__init__(client, TABLE)
        self.client = client

    def item(self, alert: AnomalyAlert) -> dict[str, Any]:
        key = {"pk": {"S": "ALERTS"}, "sk": {"S": alert_sk(alert.window_start, alert.alert_id)}}
        item: dict[str, Any] = self.client.get_item(TableName=TABLE, Key=key)["Item"]
        return item

    def row(self, alert: AnomalyAlert) -> tuple[str, bool, float]:
        item = self.item(alert)
        assert ("open" in item) is (item["state"]["S"] == "PENDING")
        value = float(item["finding"]["M"]["value"]["N"])
        return item["state"]["S"], "resolved_at" in item, value


@pytest.fixture
def dynamo() -> Iterator[DynamoOutbox]:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-central-1")
        create_aggregates_table(client, TABLE)
        yield DynamoOutbox(client)


@pytest.fixture(params=["memory", "dynamodb"])
def outbox(request: pytest.FixtureRequest) -> Outbox:
    if request.param == "memory":
        return MemoryOutbox()
    found: Outbox = request.getfixturevalue("dynamo")
    return found


def an_alert(
    event_type: str = "click", hour: datetime = NINE, value: float = 412.0
) -> AnomalyAlert:
    finding = AnomalyFinding(
        metric="count",
        value=value,
        direction="up",
        z_score=22.097,
        threshold=3.0,
        baseline_mean=120.3,
        baseline_sd=13.2,
        baseline_windows=168,
        expected_low=80.7,
        expected_high=159.9,
        explanation="412 click events between 09:00 and 10:00 UTC, expected 80..160",
    )
    result = AggregationResult(
        event_type=event_type,
        window_start=hour,
        window_end=hour + HOUR,
        count=412,
        errors=0,
        unique_users=9,
        latency_count=0,
        status="final",
        generation=1,
        updated_at=NOW,
    )
    return AnomalyAlert.of(result, finding, now=NOW)


def test_a_recorded_alert_waits(outbox: Outbox) -> None:
    second, first = an_alert(hour=NINE + HOUR), an_alert()

    outbox.record([second, first], 1)

    assert outbox.pending() == [first, second]
    assert outbox.count_pending() == 2
    assert outbox.row(first) == ("PENDING", False, 412.0)


def test_an_alert_is_recorded_once_and_takes_newer_figures_while_it_waits(
    outbox: Outbox,
) -> None:
    outbox.record([an_alert()], 1)
    outbox.record([an_alert(value=420.0)], 2)
    outbox.record([an_alert(value=400.0)], 1)

    assert [alert.finding.value for alert in outbox.pending()] == [420.0]


def test_a_sent_alert_does_not_wait_again(outbox: Outbox) -> None:
    outbox.record([an_alert()], 1)
    outbox.lease(an_alert(), NOW)
    outbox.mark_sent(an_alert(), NOW)

    outbox.record([an_alert(value=420.0)], 2)

    assert outbox.pending() == []
    assert outbox.row(an_alert()) == ("SENT", False, 412.0)


def test_only_one_sender_gets_the_lease_until_it_runs_out(outbox: Outbox) -> None:
    outbox.record([an_alert()], 1)

    assert outbox.lease(an_alert(), NOW)
    assert not outbox.lease(an_alert(), NOW)
    assert not outbox.lease(an_alert(), LATER - timedelta(milliseconds=1))
    assert outbox.lease(an_alert(), LATER)


def test_a_lease_that_is_given_back_can_be_taken_at_once(outbox: Outbox) -> None:
    outbox.record([an_alert()], 1)
    outbox.lease(an_alert(), NOW)

    outbox.release(an_alert(), NOW)

    assert outbox.lease(an_alert(), NOW)


def test_a_lease_that_ran_out_is_not_given_back_for_the_next_sender(outbox: Outbox) -> None:
    outbox.record([an_alert()], 1)
    outbox.lease(an_alert(), NOW)
    outbox.lease(an_alert(), LATER)

    outbox.release(an_alert(), NOW)

    assert not outbox.lease(an_alert(), LATER)


def test_what_does_not_wait_cannot_be_leased(outbox: Outbox) -> None:
    sent, resolved = an_alert("sent"), an_alert("resolved")
    outbox.record([sent, resolved], 1)
    outbox.mark_sent(sent, NOW)
    outbox.resolve(NINE, {sent.alert_id}, 1, NOW)

    assert not outbox.lease(sent, LATER)
    assert not outbox.lease(resolved, LATER)


def test_an_anomaly_that_is_gone_is_resolved_and_not_sent(outbox: Outbox) -> None:
    gone, still, other_hour = an_alert("gone"), an_alert("still"), an_alert(hour=NINE + HOUR)
    outbox.record([gone, still, other_hour], 1)

    outbox.resolve(NINE, {still.alert_id}, 2, NOW)

    assert outbox.row(gone) == ("RESOLVED", True, 412.0)
    assert outbox.pending() == [still, other_hour]


def test_a_sent_alert_stays_sent_and_says_that_it_is_resolved(outbox: Outbox) -> None:
    outbox.record([an_alert()], 1)
    outbox.mark_sent(an_alert(), NOW)

    outbox.resolve(NINE, set(), 2, NOW)
    assert outbox.row(an_alert()) == ("SENT", True, 412.0)

    outbox.record([an_alert()], 3)
    assert outbox.row(an_alert()) == ("SENT", False, 412.0)


def test_one_alert_is_resolved_by_itself_unless_a_newer_run_wrote_it(outbox: Outbox) -> None:
    gone, still, newer = an_alert("gone"), an_alert("still"), an_alert("newer")
    outbox.record([gone, still], 1)
    outbox.record([newer], 2)

    for alert in (gone, newer):
        outbox.resolve_one(alert, 1, NOW)

    assert outbox.row(gone) == ("RESOLVED", True, 412.0)
    assert outbox.row(newer) == ("PENDING", False, 412.0)
    assert outbox.pending() == sorted([still, newer], key=lambda alert: alert.alert_id)


def test_an_anomaly_that_comes_back_unsent_waits_again(outbox: Outbox) -> None:
    outbox.record([an_alert()], 1)
    outbox.resolve(NINE, set(), 2, NOW)

    outbox.record([an_alert(value=420.0)], 3)

    assert outbox.row(an_alert()) == ("PENDING", False, 420.0)
    assert outbox.count_pending() == 1


def test_an_overtaken_run_changes_nothing(outbox: Outbox) -> None:
    resolved, waiting, sent = an_alert("resolved"), an_alert("waiting"), an_alert("sent")
    outbox.record([resolved, waiting, sent], 2)
    outbox.mark_sent(sent, NOW)
    outbox.resolve(NINE, {waiting.alert_id, sent.alert_id}, 3, NOW)
    outbox.record([waiting, sent], 3)

    outbox.record([resolved], 2)
    outbox.resolve(NINE, set(), 2, NOW)

    assert outbox.row(resolved) == ("RESOLVED", True, 412.0)
    assert outbox.row(waiting) == ("PENDING", False, 412.0)
    assert outbox.row(sent) == ("SENT", False, 412.0)


def test_an_earlier_attempt_does_not_bring_back_what_a_later_one_found_resolved(
    outbox: Outbox,
) -> None:
    outbox.record([an_alert()], 1)
    outbox.mark_sent(an_alert(), NOW)
    outbox.resolve(NINE, set(), 2, NOW)
    outbox.resolve(NINE, set(), 4, LATER)

    outbox.record([an_alert()], 3)

    assert outbox.row(an_alert()) == ("SENT", True, 412.0)


def test_what_an_earlier_attempt_resolved_unsent_waits_again_for_the_later_one(
    outbox: Outbox,
) -> None:
    outbox.record([an_alert()], 1)
    outbox.resolve(NINE, set(), 2, NOW)
    outbox.record([an_alert()], 3)
    outbox.resolve(NINE, set(), 2, NOW)

    assert outbox.row(an_alert()) == ("PENDING", False, 412.0)


def test_an_alert_that_was_resolved_while_it_was_being_sent_is_sent(outbox: Outbox) -> None:
    outbox.record([an_alert()], 1)
    outbox.lease(an_alert(), NOW)
    outbox.resolve(NINE, set(), 2, NOW)

    outbox.mark_sent(an_alert(), NOW)

    assert outbox.row(an_alert()) == ("SENT", True, 412.0)


def test_many_alerts_are_read_whole(outbox: Outbox) -> None:
    alerts = [an_alert(f"type-{n}") for n in range(250)]

    outbox.record(alerts, 1)

    assert outbox.count_pending() == len(outbox.pending()) == 250


def test_what_is_recorded_is_what_the_query_function_reads(dynamo: DynamoOutbox) -> None:
    readings = DynamoReadings(
        dynamo.client, hot_table="none", aggregates_table=TABLE, now=lambda: NOW
    )

    dynamo.record([an_alert()], 1)

    [row] = readings.alerts(NINE, NINE + HOUR, 10)
    assert (row.alert, row.state) == (an_alert(), "PENDING")


def test_a_store_that_fails_is_told_by_our_error(dynamo: DynamoOutbox) -> None:
    dynamo.client.delete_table(TableName=TABLE)

    for call in (
        dynamo.pending,
        lambda: dynamo.record([an_alert()], 1),
        lambda: dynamo.lease(an_alert(), NOW),
        lambda: dynamo.mark_sent(an_alert(), NOW),
    ):
        with pytest.raises(StoreError, match="dynamodb:"):
            call()


@pytest.mark.parametrize(
    ("event_type", "attribute"),
    [("page_view", "page_view"), ("*", "*"), ("_other", "_other"), ("bad\nname", None)],
)
def test_subscribers_can_filter_by_attributes_that_are_safe(
    event_type: str, attribute: str | None
) -> None:
    with mock_aws():
        received = _publish(an_alert(event_type))

    attributes = {name: each["Value"] for name, each in received["MessageAttributes"].items()}
    assert attributes.pop("event_type", None) == attribute
    assert attributes == {"metric": "count", "direction": "up"}


def test_the_message_is_the_alert_with_a_sentence_for_a_person() -> None:
    with mock_aws():
        received = _publish(an_alert())

    body = json.loads(received["Message"])
    assert body.pop("text") == (
        "2026-11-20: 412 click events between 09:00 and 10:00 UTC, expected 80..160"
    )
    assert body["window_start"] == "2026-11-20T09:00:00.000Z"
    assert AnomalyAlert.model_validate(body) == an_alert()
    assert received["Subject"] == "EventStream: count up at 2026-11-20T09 UTC, click"


def _publish(alert: AnomalyAlert) -> dict[str, Any]:
    """Publish to a topic and return what its queue receives."""
    sns = boto3.client("sns", region_name="eu-central-1")
    sqs = boto3.client("sqs", region_name="eu-central-1")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    queue = sqs.create_queue(QueueName="alerts")["QueueUrl"]
    arn = "arn:aws:sqs:eu-central-1:123456789012:alerts"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    SnsAlertPublisher(sns, topic).publish(alert)

    [message] = sqs.receive_message(QueueUrl=queue)["Messages"]
    body: dict[str, Any] = json.loads(message["Body"])
    return body


@pytest.mark.parametrize("event_type", ["t" * 128, "ünsafe\nname", "a b:c.d-e_f"])
def test_a_subject_is_short_plain_text(event_type: str) -> None:
    subject = subject_of(an_alert(event_type))

    assert len(subject) < 100
    assert subject.isascii()
    assert subject.isprintable()


def test_the_longest_message_is_far_from_the_limit_of_sns() -> None:
    assert len(message_of(an_alert("t" * 128)).encode()) < 4096


def test_a_topic_that_fails_is_told_by_our_error() -> None:
    with mock_aws():
        sns = boto3.client("sns", region_name="eu-central-1")
        publisher = SnsAlertPublisher(sns, "arn:aws:sns:eu-central-1:123456789012:none")

        with pytest.raises(StoreError, match="sns:Publish failed: NotFound"):
            publisher.publish(an_alert())
