"""A pipeline in moto that has things waiting for a replay, and the commands that do it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import boto3

from common.adapters.lake import S3Lake
from common.domain.decode import decode_batch
from fakes.hot import MemoryHotStore
from fakes.hours import MemoryHourMarks
from fakes.ingest_settings import INGEST_SETTINGS
from fakes.lake import MemoryLake
from fakes.process_builders import ARN, STREAM
from process.counters import HotCounters
from process.service import Deps, process

LAKE, FAILURES = "lake", "failures"
MAPPING = "0f8e9a52-6c1d-4f6f-9d0a-5f6f6a1c2b3d"
BUCKETS = 8


class KilledError(BaseException):
    """The process is killed: nothing after this happens."""


class Wire:
    """A client whose calls a test may watch, spoil or end the process at."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.before: Callable[[str, dict[str, Any]], None] = lambda _name, _request: None
        self.refused: set[str] = set()
        """Partition keys whose records the stream doesn't take."""
        self.after: Callable[[str, Any], Any] = lambda _name, answer: answer

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)
        if name in ("get_paginator", "meta", "exceptions"):
            return real

        def call(**request: Any) -> Any:
            self.calls.append((name, request))
            self.before(name, request)
            if name == "put_records" and self.refused:
                return self._put_some(request)
            return self.after(name, real(**request))

        return call

    def _put_some(self, request: dict[str, Any]) -> dict[str, Any]:
        records = request["Records"]
        taken = [one for one in records if one["PartitionKey"] not in self.refused]
        answers: list[dict[str, Any]] = []
        if taken:
            answers = self._client.put_records(**request | {"Records": taken})["Records"]
        rest = iter(answers)
        refusal = {"ErrorCode": "ProvisionedThroughputExceededException"}
        found = [refusal if one["PartitionKey"] in self.refused else next(rest) for one in records]
        return {"Records": found}

    def named(self, name: str) -> list[dict[str, Any]]:
        return [request for called, request in self.calls if called == name]


class LambdaClient:
    """Tells the settings of the ingest function."""

    def __init__(self, settings: dict[str, str]) -> None:
        self._settings = settings

    def get_function_configuration(self, **_: str) -> dict[str, Any]:
        return {"Environment": {"Variables": self._settings}}


class World:
    """Stands in for a target."""

    stack_name = "eventstream-test"

    def __init__(self) -> None:
        self.s3 = Wire(boto3.client("s3", region_name="us-east-1"))
        self.kinesis = Wire(boto3.client("kinesis", region_name="us-east-1"))
        self.settings = dict(INGEST_SETTINGS)
        for bucket in (LAKE, FAILURES):
            self.s3.create_bucket(Bucket=bucket)
            self.s3.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        self.kinesis.create_stream(StreamName=STREAM, ShardCount=2)

    def client(self, service: str, **_: Any) -> Any:
        return {
            "s3": self.s3,
            "kinesis": self.kinesis,
            "lambda": LambdaClient(self.settings),
        }[service]

    def resource(self, logical_id: str) -> str:
        return {
            "LakeBucket": LAKE,
            "FailureBucket": FAILURES,
            "IngestFunction": "ingest",
        }[logical_id]

    def quarantine(self, *records: dict[str, Any]) -> None:
        """Do with the bad lines of records what the process function does."""
        S3Lake(self.s3, LAKE).put_quarantine(decode_batch(records).bad)

    def give_up(
        self, *records: dict[str, Any], number: int = 0, payload: bool | str = True, **changes: Any
    ) -> str:
        """Do with records what Lambda does, and return the key."""
        key = (
            f"aws/lambda/{MAPPING}/shardId-000000000000/2026/11/20/"
            f"2026-11-20T10.30.{number:02d}-00000000-0000-4000-8000-{number:012d}"
        )
        text = payload if isinstance(payload, str) else json.dumps({"Records": list(records)})
        sequences = [one["kinesis"]["sequenceNumber"] for one in records]
        body = {
            "requestContext": {
                "requestId": "r-1",
                "functionArn": "arn:aws:lambda:eu-west-1:123456789012:function:process",
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": 3,
            },
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            },
            "version": "1.0",
            "timestamp": f"2026-11-20T10:30:{number:02d}.000Z",
            "KinesisBatchInfo": {
                "shardId": "shardId-000000000000",
                "startSequenceNumber": sequences[0],
                "endSequenceNumber": sequences[-1],
                "approximateArrivalOfFirstRecord": "2026-11-20T10:06:31.500Z",
                "approximateArrivalOfLastRecord": "2026-11-20T10:06:31.500Z",
                "batchSize": len(records),
                "streamArn": ARN,
            },
            **({"payload": text} if payload else {}),
            **changes,
        }
        self.s3.put_object(Bucket=FAILURES, Key=key, Body=json.dumps(body).encode())
        return key

    def keys(self, bucket: str = LAKE, prefix: str = "") -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix)
        return [one["Key"] for one in listed.get("Contents", ())]

    def stream(self) -> list[dict[str, Any]]:
        """Return the events that the stream holds, one for each line."""
        records = self._records()
        return [json.loads(line) for one in records for line in one["Data"].split(b"\n")]

    def _records(self) -> list[dict[str, Any]]:
        found = []
        for shard in self.kinesis.list_shards(StreamName=STREAM)["Shards"]:
            iterator = self.kinesis.get_shard_iterator(
                StreamName=STREAM, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            answer = self.kinesis.get_records(ShardIterator=iterator)
            found += [one | {"Shard": shard["ShardId"]} for one in answer["Records"]]
        return found

    def process(self, before: Sequence[dict[str, Any]] = ()) -> Processed:
        """Run the process function over records of before, and over what the stream holds."""
        done = Processed()
        process(before, done.deps)
        for record in self._records():
            handed = {
                "eventSourceARN": ARN,
                "eventID": f"{record['Shard']}:{record['SequenceNumber']}",
                "kinesis": {
                    "sequenceNumber": record["SequenceNumber"],
                    "data": base64.b64encode(record["Data"]).decode(),
                    "approximateArrivalTimestamp": datetime.now(UTC).timestamp(),
                },
            }
            process([handed], done.deps)
        return done


class Processed:
    """What the process function made of records."""

    def __init__(self) -> None:
        self.lake, self.hot = MemoryLake(), MemoryHotStore()
        counters = HotCounters(self.hot, max_types=8)
        self.deps = Deps(self.lake, MemoryHourMarks(), counters)

    def events(self) -> list[str]:
        """Return the ids in the lake, as a reader sees them that drops copies."""
        found = {
            (line.event.source, line.event.event_id)
            for lines in self.lake.objects.values()
            for line in lines
        }
        return sorted(event_id for _, event_id in found)

    def counted(self) -> int:
        return sum(of.count for window in self.hot.windows.values() for of in window.types.values())
