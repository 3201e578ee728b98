"""The format of "Retain discarded batch records for a Kinesis Data Streams event source"."""

import json
import re
import uuid
from datetime import UTC, datetime
from typing import Any

from eventstream.local.batches import RETRIES_EXHAUSTED, TOO_OLD, Batch
from eventstream.local.on_failure import FailureBucket, LastCall
from eventstream.local.records import payload
from unit.local.streams import a_record

NOW = datetime(2026, 11, 20, 9, 5, 7, 21_000, tzinfo=UTC)
BATCH = Batch((a_record(1, 1795166100.5), a_record(2, 1795166101.25)), attempts=3)


class Bucket:
    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}

    def put_object(self, **request: Any) -> None:
        self.objects[request["Key"]] = json.loads(request["Body"])


def failures(s3: Any = None) -> FailureBucket:
    return FailureBucket(s3, "failures", "mapping-id", "arn:function", "arn:stream")


def test_the_key_is_the_one_that_lambda_writes() -> None:
    unique = uuid.UUID("4c1d6d5c-9f5e-4c9b-9b0a-0f3f3f0f3f0f")

    key = failures().key("shardId-000000000001", NOW, unique)

    assert key == (
        "aws/lambda/mapping-id/shardId-000000000001/2026/11/20/2026-11-20T09.05.07-"
        "4c1d6d5c-9f5e-4c9b-9b0a-0f3f3f0f3f0f"
    )


def test_the_body_says_what_failed_and_holds_the_whole_event() -> None:
    body = failures().body(
        "shard-1", BATCH, RETRIES_EXHAUSTED, LastCall("request-1", "Unhandled"), NOW
    )

    assert body == {
        "requestContext": {
            "requestId": "request-1",
            "functionArn": "arn:function",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 3,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": "2026-11-20T09:05:07.021Z",
        "KinesisBatchInfo": {
            "shardId": "shard-1",
            "startSequenceNumber": a_record(1).sequence,
            "endSequenceNumber": a_record(2).sequence,
            "approximateArrivalOfFirstRecord": "2026-11-20T09:15:00.500Z",
            "approximateArrivalOfLastRecord": "2026-11-20T09:15:01.250Z",
            "batchSize": 2,
            "streamArn": "arn:stream",
        },
        "payload": payload(BATCH.records).decode(),
    }


def test_a_batch_that_was_never_sent_has_no_response() -> None:
    body = failures().body("shard-1", BATCH, TOO_OLD, None, NOW)

    assert "responseContext" not in body
    assert body["requestContext"]["condition"] == "RecordAgeExceeded"


def test_a_function_that_asked_again_to_the_end_shows_a_null_function_error() -> None:
    body = failures().body("shard-1", BATCH, RETRIES_EXHAUSTED, LastCall("request-1"), NOW)

    assert body["responseContext"]["functionError"] is None


def test_two_batches_that_are_given_up_in_one_second_have_two_keys() -> None:
    bucket = Bucket()
    target = failures(bucket)

    for _ in range(2):
        target.write("shard-1", BATCH, RETRIES_EXHAUSTED, None, NOW)

    assert len(bucket.objects) == 2
    assert all(re.match(r"aws/lambda/mapping-id/shard-1/", key) for key in bucket.objects)
