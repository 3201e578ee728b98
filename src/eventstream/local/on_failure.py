"""The on-failure destination: batches that were given up go to a bucket, as Lambda writes them.

Source of key and body: "Retain discarded batch records for a Kinesis Data Streams event source in
Lambda" in the Lambda developer guide. What the page leaves open is as LocalStack's tests recorded
it on AWS in November 2025: ``functionError`` is null when the function asked for records again, and
a batch that was never sent counts as one invocation.
"""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from eventstream.local.batches import Batch
from eventstream.local.records import payload


@dataclass(frozen=True)
class LastCall:
    """The last invocation of a batch that was given up.

    Attributes
    ----------
    function_error
        ``Unhandled`` when the function failed; ``None`` when it asked for records again.
    """

    request_id: str
    function_error: str | None = None


@dataclass(frozen=True)
class FailureBucket:
    """Writes discarded batches of one mapping.

    Attributes
    ----------
    s3
        S3 client.
    """

    s3: Any
    bucket: str
    mapping: str
    function_arn: str
    stream_arn: str

    def write(
        self, shard: str, batch: Batch, condition: str, last: LastCall | None, now: datetime
    ) -> str:
        """Write a batch and return its key.

        Parameters
        ----------
        shard
            The batch's shard.
        batch
            The batch, with the number of its invocations.
        condition
            Why it was given up.
        last
            Its last invocation; ``None`` when it was never sent.
        now
            The time, in UTC.
        """
        key = self.key(shard, now, uuid.uuid4())
        body = json.dumps(self.body(shard, batch, condition, last, now)).encode()
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType="application/json")
        return key

    def key(self, shard: str, now: datetime, unique: uuid.UUID) -> str:
        """Return the object key of a batch that is given up now."""
        return f"aws/lambda/{self.mapping}/{shard}/{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{unique}"

    def body(
        self, shard: str, batch: Batch, condition: str, last: LastCall | None, now: datetime
    ) -> dict[str, Any]:
        """Return the record of a batch; ``payload`` is the whole event, as text."""
        first_record, last_record = batch.records[0], batch.records[-1]
        body: dict[str, Any] = {
            "requestContext": {
                "requestId": str(uuid.uuid4()) if last is None else last.request_id,
                "functionArn": self.function_arn,
                "condition": condition,
                "approximateInvokeCount": max(1, batch.attempts),
            },
            "version": "1.0",
            "timestamp": _iso(now),
            "KinesisBatchInfo": {
                "shardId": shard,
                "startSequenceNumber": first_record.sequence,
                "endSequenceNumber": last_record.sequence,
                "approximateArrivalOfFirstRecord": _iso_s(first_record.arrived_at_s),
                "approximateArrivalOfLastRecord": _iso_s(last_record.arrived_at_s),
                "batchSize": len(batch.records),
                "streamArn": self.stream_arn,
            },
            "payload": payload(batch.records).decode(),
        }
        if last is not None:
            body["responseContext"] = {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": last.function_error,
            }
        return body


def _iso_s(seconds: float) -> str:
    return _iso(datetime.fromtimestamp(seconds, UTC))


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
