"""The whole function on moto: what the handler wires together works against the APIs of AWS."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from aggregate import handler
from common.adapters.hours import DynamoHourMarks
from common.adapters.parquet import encode
from common.config import AggregateConfig
from common.domain.decode import StreamLine
from common.domain.keys import lake_key
from common.domain.windows import HOUR, hour_of, hours_between, rfc3339
from common.observability import metrics
from contract.tables import create_aggregates_table
from fakes.aggregate_builders import lines_of

NOW_HOUR = hour_of(datetime.now(UTC))
"""Real time, since the lag is read from metrics of the last minutes."""
LAST_HOUR = NOW_HOUR - 2 * HOUR
"""An hour whose grace has passed for sure."""
REGION = "eu-central-1"
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": REGION,
    "LAKE_BUCKET": "lake",
    "AGGREGATES_TABLE": "aggregates",
    "ALERT_TOPIC_ARN": f"arn:aws:sns:{REGION}:123456789012:alerts",
    "STREAM_NAME": "stream",
    "PROCESS_FUNCTION_NAME": "process",
    "FLOWS": "",
    "ANOMALY_THRESHOLD": "3",
    "BASELINE_HOURS": "168",
    "ETL_GRACE_MINUTES": "5",
    "MAX_HOURS_PER_RUN": "168",
    "DUCKDB_MEMORY_MB": "128",
}
CONTEXT = SimpleNamespace(
    function_name="aggregate",
    memory_limit_in_mb=2048,
    invoked_function_arn=f"arn:aws:lambda:{REGION}:123456789012:function:aggregate",
    aws_request_id="request-1",
)


class Stack:
    """The function's world on moto, and the calls that the function makes of it."""

    def __init__(self) -> None:
        self.s3 = boto3.client("s3", region_name=REGION)
        self.dynamodb = boto3.client("dynamodb", region_name=REGION)
        self.sqs = boto3.client("sqs", region_name=REGION)
        sns = boto3.client("sns", region_name=REGION)
        self.s3.create_bucket(
            Bucket="lake", CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        create_aggregates_table(self.dynamodb, "aggregates")
        topic = sns.create_topic(Name="alerts")["TopicArn"]
        self.queue = self.sqs.create_queue(QueueName="alerts")["QueueUrl"]
        arn = f"arn:aws:sqs:{REGION}:123456789012:alerts"
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def drain_stream(self) -> None:
        boto3.client("cloudwatch", region_name=REGION).put_metric_data(
            Namespace="AWS/Lambda",
            MetricData=[
                {
                    "MetricName": "IteratorAge",
                    "Dimensions": [{"Name": "FunctionName", "Value": "process"}],
                    "Timestamp": datetime.now(UTC) - timedelta(minutes=1),
                    "Value": 12.0,
                }
            ],
        )

    def put(self, hour: datetime, lines: Sequence[StreamLine]) -> None:
        key = lake_key(hour, "stream", "shardId-000000000000", "1", "2")
        self.s3.put_object(Bucket="lake", Key=key, Body=encode(lines))
        DynamoHourMarks(self.dynamodb, "aggregates").raise_generation([hour])

    def messages(self) -> list[dict[str, Any]]:
        answer = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        return [
            json.loads(json.loads(each["Body"])["Message"]) for each in answer.get("Messages", ())
        ]


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(metrics, "namespace", "EventStream")
    monkeypatch.setattr(metrics, "service", "aggregate")
    handler.deps.cache_clear()
    with mock_aws():
        yield Stack()
    handler.deps.cache_clear()


def call(**event: Any) -> dict[str, Any]:
    answer: dict[str, Any] = handler.lambda_handler(event, CONTEXT)
    return answer


def a_window(hour: datetime) -> dict[str, str]:
    return {"window_start": rfc3339(hour), "window_end": rfc3339(hour + HOUR)}


def test_the_environment_of_this_test_is_what_the_function_reads() -> None:
    assert AggregateConfig.variables() == ENVIRONMENT.keys() - {"AWS_DEFAULT_REGION"}


def test_an_anomaly_goes_from_the_lake_to_a_subscriber(stack: Stack) -> None:
    stack.drain_stream()
    for n, hour in enumerate(hours_between(LAST_HOUR - 26 * HOUR, LAST_HOUR)):
        stack.put(hour, lines_of("click", 20 + n % 3, hour))
    stack.put(LAST_HOUR, lines_of("click", 90, LAST_HOUR))

    plan = call(
        action="determine",
        input={"scheduled_time": rfc3339(LAST_HOUR + HOUR + timedelta(minutes=10))},
    )
    answers = [call(action="aggregate", **window) for window in plan["windows"]]
    sent = call(action="notify")

    assert plan["hours"] == 27
    assert {answer["status"] for answer in answers} == {"final"}
    assert [answer["anomalies"] for answer in answers] == [0] * 26 + [2]
    assert sent == {"sent": 2, "pending": 0}
    messages = {message["event_type"]: message for message in stack.messages()}
    assert messages.keys() == {"click", "*"}
    assert "90 click events between" in messages["click"]["text"]
    assert call(action="determine", input={"scheduled_time": rfc3339(NOW_HOUR)})["hours"] == 1


def test_without_any_metric_of_the_stream_an_hour_stays_provisional(stack: Stack) -> None:
    stack.put(LAST_HOUR, lines_of("click", 3, LAST_HOUR))

    assert call(**a_window(LAST_HOUR))["status"] == "provisional"


def test_an_hour_takes_one_range_query_for_the_past_of_each_type(stack: Stack) -> None:
    stack.drain_stream()
    names = [f"type-{n}" for n in range(10)]
    for hour in (LAST_HOUR - HOUR, LAST_HOUR):
        stack.put(hour, [line for name in names for line in lines_of(name, 2, hour)])
    call(**a_window(LAST_HOUR - HOUR))
    calls: Counter[str] = Counter()

    def count(model: Any, **_: Any) -> None:
        calls[model.name] += 1

    events = handler.deps().store._table._client.meta.events  # type: ignore[attr-defined]
    events.register("before-call.dynamodb", count)
    call(**a_window(LAST_HOUR))

    results = len(names) + 1
    assert calls == {
        "Query": results + 3,
        "PutItem": results,
        "UpdateItem": len(names) + 2,
    }
