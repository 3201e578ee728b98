"""Behind the HTTP API: echo, put on the stream, fail."""

import json
import os
from typing import Any

import boto3

VALUE = 1
kinesis = boto3.client("kinesis")


def lambda_handler(event: dict[str, Any], context: object) -> Any:
    route = event["routeKey"]
    if route == "GET /boom":
        raise ValueError("a secret that clients must not see")
    if route == "POST /put":
        entries = [
            {"Data": json.dumps(item).encode(), "PartitionKey": str(item.get("key", item["id"]))}
            for item in json.loads(event["body"])
        ]
        kinesis.put_records(StreamName=os.environ["STREAM"], Records=entries)
        return {"accepted": len(entries)}
    if route == "GET /health":
        return {"status": "ours", "greeting": os.environ["GREETING"], "value": VALUE}
    return {"statusCode": 200, "headers": {"x-echo": "1"}, "body": json.dumps(event)}
