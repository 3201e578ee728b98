"""The stores that the functions under test write to: the local emulator, made for one test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventstream.local import emulator
from eventstream.local.session import LocalSession
from eventstream.local.state import StateFolder

REGION = "eu-west-1"


@dataclass(frozen=True)
class World:
    """Where the stores are, and what the template's resources are called there."""

    url: str
    session: LocalSession
    resources: dict[str, str]

    @property
    def variables(self) -> dict[str, str]:
        """What leads a function's AWS calls here and nowhere else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def objects(self, prefix: str) -> list[str]:
        """List the keys under a prefix of the lake."""
        bucket = self.resources["LakeBucket"]
        answer = self.session.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
        return [found["Key"] for found in answer.get("Contents", [])]

    def items(self, table: str) -> list[dict[str, Any]]:
        """Return everything that a table holds."""
        dynamodb = self.session.client("dynamodb")
        found: list[dict[str, Any]] = dynamodb.scan(TableName=self.resources[table])["Items"]
        return found

    def lines(self) -> list[bytes]:
        """Return what the stream holds, record by record."""
        kinesis = self.session.client("kinesis")
        name = self.resources["EventStream"]
        [shard] = kinesis.list_shards(StreamName=name)["Shards"]
        iterator = kinesis.get_shard_iterator(
            StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        return [each["Data"] for each in kinesis.get_records(ShardIterator=iterator)["Records"]]


def _make_table(dynamodb: Any, name: str, *, index: bool) -> None:
    names = ["pk", "sk", "open"] if index else ["pk", "sk"]
    indexes = [
        {
            "IndexName": "OpenIndex",
            "KeySchema": _keys("open", "sk"),
            "Projection": {"ProjectionType": "ALL"},
        }
    ]
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in names],
        KeySchema=_keys("pk", "sk"),
        **({"GlobalSecondaryIndexes": indexes} if index else {}),
    )


def _keys(hash_key: str, range_key: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": hash_key, "KeyType": "HASH"},
        {"AttributeName": range_key, "KeyType": "RANGE"},
    ]


def _make_stores(session: LocalSession) -> dict[str, str]:
    names = {
        "EventStream": "events",
        "LakeBucket": "lake",
        "HotTable": "hot",
        "AggregatesTable": "aggregates",
        "KeysTable": "keys",
        "SessionsTable": "sessions",
        "EventIndexTable": "event-index",
    }
    session.client("kinesis").create_stream(StreamName=names["EventStream"], ShardCount=1)
    session.client("s3").create_bucket(
        Bucket=names["LakeBucket"], CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    _make_table(session.client("dynamodb"), names["HotTable"], index=False)
    _make_table(session.client("dynamodb"), names["AggregatesTable"], index=True)
    _make_table(session.client("dynamodb"), names["EventIndexTable"], index=False)
    session.client("dynamodb").create_table(
        TableName=names["KeysTable"],
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    session.client("dynamodb").create_table(
        TableName=names["SessionsTable"],
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "active")
        ],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "ActiveIndex",
                "KeySchema": _keys("active", "pk"),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    topic = session.client("sns").create_topic(Name="alerts")
    return {**names, "AlertTopic": topic["TopicArn"]}


@contextmanager
def make_world(folder: Path) -> Iterator[World]:
    """Start the emulator in a folder, make the stores, and stop it at the end."""
    state = StateFolder(folder)
    running = emulator.start(state, REGION)
    try:
        emulator.wait_until_healthy(running, state)
        session = LocalSession(running.url, REGION)
        yield World(running.url, session, _make_stores(session))
    finally:
        emulator.stop(state)
