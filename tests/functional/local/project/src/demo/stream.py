"""Behind the stream and the state machine: keep each record, or fail as it asks for."""

import base64
import json
import os
from typing import Any

import boto3

calls: list[int] = []
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])


class FlakyError(Exception):
    pass


def lambda_handler(event: dict[str, Any], context: object) -> Any:
    calls.append(1)
    if "Records" not in event:
        return flow(event)
    for record in event["Records"]:
        item = json.loads(base64.b64decode(record["kinesis"]["data"]))
        if item.get("poison") == "raise":
            raise ValueError("poisoned")
        if item.get("poison") == "report":
            failed = record["kinesis"]["sequenceNumber"]
            return {"batchItemFailures": [{"itemIdentifier": failed}]}
        keep(item["id"])
    return {"batchItemFailures": []}


def keep(name: str) -> None:
    table.update_item(
        Key={"pk": str(name)},
        UpdateExpression="ADD kept_times :one",
        ExpressionAttributeValues={":one": 1},
    )


def flow(event: dict[str, Any]) -> Any:
    if event.get("fails", 0) > len(calls) - 1:
        raise FlakyError("not yet")
    return {"calls": len(calls)}
