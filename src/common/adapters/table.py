"""One DynamoDB table with plain values: consistent reads, and writes that tell a lost condition."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from common.adapters.calls import error_code, our_errors
from common.adapters.items import from_item, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Table:
    """Items have the keys ``pk`` and ``sk``.

    Expressions name every attribute as ``#name`` and every value as ``:name``, so that DynamoDB's
    hundreds of reserved words need not be known.
    """

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self._client = client
        self._name = name

    def get(self, pk: str, sk: str) -> dict[str, Any] | None:
        """Return an item, as the last write left it."""
        with our_errors("dynamodb:GetItem"):
            answer = self._client.get_item(
                TableName=self._name, Key=to_item({"pk": pk, "sk": sk}), ConsistentRead=True
            )
        return from_item(answer["Item"]) if "Item" in answer else None

    def query(
        self,
        condition: str,
        values: Mapping[str, object],
        *,
        index: str | None = None,
        select: tuple[str, ...] = (),
    ) -> Iterator[dict[str, Any]]:
        """Yield the items of a key range, page by page; an index is read as it is just now."""
        extra: dict[str, Any] = {"IndexName": index} if index else {"ConsistentRead": True}
        if select:
            extra["ProjectionExpression"] = ", ".join(f"#{name}" for name in select)
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=_placed(values),
            ExpressionAttributeNames=_names(condition, *extra.values()),
            **extra,
        )
        with our_errors("dynamodb:Query"):
            for page in pages:
                yield from map(from_item, page["Items"])

    def put(self, item: Mapping[str, object], condition: str, values: Mapping[str, object]) -> bool:
        """Put an item; ``False`` when the condition was lost."""
        extra: dict[str, Any] = {"ExpressionAttributeValues": _placed(values)} if values else {}
        with our_errors("dynamodb:PutItem"):
            try:
                self._client.put_item(
                    TableName=self._name,
                    Item=to_item(item),
                    ConditionExpression=condition,
                    ExpressionAttributeNames=_names(condition),
                    **extra,
                )
            except ClientError as error:
                _raise_unless_lost(error)
                return False
        return True

    def update(
        self, pk: str, sk: str, update: str, condition: str, values: Mapping[str, object]
    ) -> bool:
        """Update an item, making it where needed; ``False`` when the condition was lost."""
        return self._update(pk, sk, update, condition, values, returned="NONE") is not None

    def update_and_get(
        self, pk: str, sk: str, update: str, values: Mapping[str, object]
    ) -> dict[str, Any]:
        """Update an item, making it where needed, and return it as this very write left it."""
        return self._update(pk, sk, update, "", values, returned="ALL_NEW") or {}

    def _update(
        self,
        pk: str,
        sk: str,
        update: str,
        condition: str,
        values: Mapping[str, object],
        *,
        returned: Literal["NONE", "ALL_NEW"],
    ) -> dict[str, Any] | None:
        extra: dict[str, Any] = {"ExpressionAttributeValues": _placed(values)} if values else {}
        if condition:
            extra["ConditionExpression"] = condition
        with our_errors("dynamodb:UpdateItem"):
            try:
                answer = self._client.update_item(
                    TableName=self._name,
                    Key=to_item({"pk": pk, "sk": sk}),
                    UpdateExpression=update,
                    ExpressionAttributeNames=_names(update, condition),
                    ReturnValues=returned,
                    **extra,
                )
            except ClientError as error:
                _raise_unless_lost(error)
                return None
        return from_item(answer.get("Attributes", {}))


def _placed(values: Mapping[str, object]) -> dict[str, Any]:
    return {f":{name}": value for name, value in to_item(values).items()}


def _names(*expressions: object) -> dict[str, str]:
    found = re.findall(r"#(\w+)", " ".join(each for each in expressions if isinstance(each, str)))
    return {f"#{name}": name for name in found}


def _raise_unless_lost(error: ClientError) -> None:
    if error_code(error) != "ConditionalCheckFailedException":
        raise error
