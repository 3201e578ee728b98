from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from common.domain.hot import HotWindow, WindowKey
from common.errors import ConfigError, ThrottledError
from common.observability import logger, metrics
from common.ports.hot import Lost
from fakes.hot import MemoryHotStore
from fakes.hours import MemoryHourMarks
from fakes.lake import MemoryLake
from fakes.process_builders import a_record, an_event, sequence_of
from process import handler
from process.counters import HotCounters
from process.service import Deps

EVENTS = Path(__file__).parents[3] / "events"
SETTINGS = {
    "LAKE_BUCKET": "lake",
    "HOT_TABLE": "hot",
    "AGGREGATES_TABLE": "aggregates",
    "METRIC_RETENTION_DAYS": "14",
    "MAX_TYPES_PER_WINDOW": "200",
    "SESSIONS": "on",
    "SESSIONS_TABLE": "sessions",
    "SESSION_GAP_MINUTES": "30",
    "SESSION_RETENTION_DAYS": "7",
    "EVENT_INDEX": "on",
    "EVENT_INDEX_TABLE": "event-index",
    "EVENT_INDEX_DAYS": "14",
}


class Context:
    function_name = "process"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:process"
    aws_request_id = "request-1"


class HotStore(MemoryHotStore):
    refuses = False

    def put(self, key: WindowKey, window: HotWindow, *, over: str | None) -> Lost | None:
        if self.refuses:
            raise ThrottledError("dynamodb:PutItem was throttled: ThrottlingException")
        return super().put(key, window, over=over)


class Stdout:
    """Whatever stdout is at the moment."""

    def write(self, text: str) -> None:
        sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


@dataclass
class World:
    lake: MemoryLake = field(default_factory=MemoryLake)
    hours: MemoryHourMarks = field(default_factory=MemoryHourMarks)
    hot: HotStore = field(default_factory=HotStore)

    def deps(self) -> Deps:
        return Deps(self.lake, self.hours, HotCounters(self.hot, max_types=200))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    # The logger's handler keeps the stdout of when it was made, which is another test's.
    monkeypatch.setattr(logger.registered_handler, "stream", Stdout())
    monkeypatch.setattr(handler, "deps", made.deps)
    monkeypatch.setattr(metrics, "namespace", "EventStream")
    return made


def invoke(*records: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = handler.lambda_handler({"Records": list(records)}, Context())
    return answer


def written(capsys: pytest.CaptureFixture[str]) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in capsys.readouterr().out.splitlines())


def counted(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """Return the metrics that were put out, by name."""
    [emf] = [line for line in written(capsys) if "_aws" in line]
    names = [one["Name"] for one in emf["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
    return {name: sum(emf[name]) for name in names}


def test_a_batch_that_is_done_names_no_failure(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = invoke(a_record(an_event(), an_event()), a_record(an_event(), at=1))

    assert answer == {"batchItemFailures": []}
    assert sum(len(lines) for lines in world.lake.objects.values()) == 3
    assert counted(capsys) == {"EventsProcessed": 3}


def test_poison_is_counted_and_does_not_fail_the_batch(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = invoke(a_record(an_event(), b"poison"), a_record(data="%", at=1))

    assert answer == {"batchItemFailures": []}
    assert len(world.lake.quarantined) == 2
    assert counted(capsys) == {"EventsProcessed": 1, "EventsQuarantined": 2}


def test_a_failed_batch_names_exactly_its_first_record(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.hot.refuses = True

    answer = invoke(*(a_record(an_event(), at=at) for at in range(3)))

    assert answer == {"batchItemFailures": [{"itemIdentifier": sequence_of(0)}]}
    assert counted(capsys) == {"BatchesFailed": 1}


def test_a_batch_that_comes_again_after_a_failure_is_counted_once(world: World) -> None:
    records = [a_record(an_event(), at=at) for at in range(3)]
    world.hot.refuses = True
    invoke(*records)
    world.hot.refuses = False

    invoke(*records)

    [window] = world.hot.windows.values()
    assert window.types["page_view"].count == 3


def test_what_is_no_event_of_a_stream_fails_the_invocation(world: World) -> None:
    with pytest.raises(ValueError, match="Kinesis"):
        invoke({"messageId": "1", "body": "{}"})


@pytest.mark.parametrize("refuses", [False, True])
def test_neither_log_nor_metrics_tell_what_a_client_sent(
    world: World, capsys: pytest.CaptureFixture[str], refuses: bool
) -> None:
    world.hot.refuses = refuses
    secret = {"event_type": "hush", "user_id": "hush", "properties": {"hush": "hush"}}

    invoke(a_record(an_event(**secret), b'{"hush":'))

    out = capsys.readouterr().out
    assert "hush" not in out
    assert ("batch failed" if refuses else "batch processed") in out


def test_a_failed_batch_is_logged_with_where_to_begin_again_and_why(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.hot.refuses = True

    invoke(a_record(an_event()))

    [line] = [line for line in written(capsys) if line.get("message") == "batch failed"]
    assert (line["level"], line["records"], line["retry_from"], line["code"], line["reason"]) == (
        "WARNING",
        1,
        sequence_of(0),
        "throttled",
        "dynamodb:PutItem was throttled: ThrottlingException",
    )


@pytest.mark.parametrize(
    ("file", "good", "bad"),
    [("kinesis-batch.json", True, False), ("kinesis-poison.json", True, True)],
)
def test_the_sample_events_are_processed(world: World, file: str, good: bool, bad: bool) -> None:
    event = json.loads((EVENTS / file).read_text())

    assert handler.lambda_handler(event, Context()) == {"batchItemFailures": []}
    assert (bool(world.lake.objects), bool(world.lake.quarantined)) == (good, bad)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(metrics, "namespace", "EventStream")

    def settings(**changes: str) -> None:
        for name, value in (SETTINGS | changes).items():
            monkeypatch.setenv(name, value)

    handler.deps.cache_clear()
    yield settings
    handler.deps.cache_clear()


def test_the_handler_wires_itself_up_from_its_environment(
    environment: Callable[..., None],
) -> None:
    environment()
    with mock_aws():
        s3, dynamodb = boto3.client("s3"), boto3.client("dynamodb")
        s3.create_bucket(Bucket="lake")
        for table in ("hot", "aggregates", "event-index"):
            create_table(dynamodb, table)

        assert invoke(a_record(an_event(), b"poison")) == {"batchItemFailures": []}

        keys = [one["Key"] for one in s3.list_objects_v2(Bucket="lake")["Contents"]]
        assert [key.partition("/")[0] for key in sorted(keys)] == ["events", "quarantine"]
        [window] = dynamodb.scan(TableName="hot")["Items"]
        assert window["types"]["M"]["page_view"]["M"]["count"] == {"N": "1"}
        [hour] = dynamodb.scan(TableName="aggregates")["Items"]
        assert (hour["sk"], hour["gen"]) == ({"S": "HOUR#2026-11-20T10"}, {"N": "1"})
    assert handler.deps() is handler.deps()


def create_table(client: Any, name: str) -> None:
    keys = {"pk": "HASH", "sk": "RANGE"}
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
    )


def test_a_setting_that_does_not_fit_is_named(environment: Callable[..., None]) -> None:
    environment(METRIC_RETENTION_DAYS="1")

    with pytest.raises(ConfigError, match="METRIC_RETENTION_DAYS"):
        handler.deps()
