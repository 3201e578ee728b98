import base64
import json
from datetime import UTC, datetime

from eventstream.local.records import Source, payload

SOURCE = Source(
    stream_arn="arn:aws:kinesis:us-east-1:000000000000:stream/s",
    shard_id="shardId-000000000000",
    role_arn="arn:aws:iam::000000000000:role/r",
    region="us-east-1",
)


# "Using Lambda to process records from Amazon Kinesis Data Streams": the example event.
def test_the_event_has_the_shape_that_lambda_gives_it() -> None:
    arrived = datetime(2026, 11, 20, 9, 15, 0, 123_000, tzinfo=UTC)
    record = SOURCE.record(
        {
            "SequenceNumber": "49590338271490256608559692538361571095921575989136588898",
            "PartitionKey": "7",
            "Data": b'{"a":1}',
            "ApproximateArrivalTimestamp": arrived,
        }
    )

    [found] = json.loads(payload([record]))["Records"]

    assert base64.b64decode(found["kinesis"].pop("data")) == b'{"a":1}'
    assert found == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "7",
            "sequenceNumber": "49590338271490256608559692538361571095921575989136588898",
            "approximateArrivalTimestamp": 1795166100.123,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": "shardId-000000000000:49590338271490256608559692538361571095921575989136588898",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::000000000000:role/r",
        "awsRegion": "us-east-1",
        "eventSourceARN": "arn:aws:kinesis:us-east-1:000000000000:stream/s",
    }
