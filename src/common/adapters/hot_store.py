"""Five-minute windows in DynamoDB: one item per window and shard, put whole on a condition."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from common.adapters.calls import error_code, our_errors
from common.domain.hot import HotWindow, TypeCount, WindowKey
from common.ports.hot import HotStore, Lost

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoHotStore(HotStore):
    """Keeps the windows for ``retention`` from their start."""

    def __init__(self, client: DynamoDBClient, table: str, retention: timedelta) -> None:
        self._client = client
        self._table = table
        self._retention = retention

    def put(self, key: WindowKey, window: HotWindow, *, over: str | None) -> Lost | None:
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(hw)"}
        if over is not None:
            condition = {
                "ConditionExpression": "hw = :old",
                "ExpressionAttributeValues": {":old": {"S": over}},
            }
        with our_errors("dynamodb:PutItem"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=_item(key, window, key.expires_at_s(self._retention)),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **condition,
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                # The item lies beside "Error" in the answer; it is missing when nothing is stored.
                item = error.response.get("Item")
                return Lost(_window(item) if item else None)  # type: ignore[arg-type]
        return None


def _item(key: WindowKey, window: HotWindow, expires_at_s: int) -> dict[str, Any]:
    return {
        "pk": {"S": key.pk},
        "sk": {"S": key.sk},
        "types": {"M": {name: {"M": _counters(of)} for name, of in window.types.items()}},
        "hw": {"S": window.mark},
        "ttl": {"N": str(expires_at_s)},
    }


def _counters(of: TypeCount) -> dict[str, Any]:
    counters: dict[str, Any] = {"count": {"N": str(of.count)}, "errors": {"N": str(of.errors)}}
    if of.latency is not None:
        counters["latency"] = {"B": of.latency}
    return counters


def _window(item: Mapping[str, Any]) -> HotWindow:
    types = {name: _type_count(value["M"]) for name, value in item["types"]["M"].items()}
    return HotWindow(types, item["hw"]["S"])


def _type_count(counters: Mapping[str, Any]) -> TypeCount:
    latency = counters.get("latency")
    return TypeCount(
        int(counters["count"]["N"]),
        int(counters["errors"]["N"]),
        bytes(latency["B"]) if latency else None,
    )
