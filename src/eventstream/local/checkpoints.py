"""How far each shard is processed, kept in the store itself.

The checkpoints lie in a table of the emulator, beside the data that they speak of: whatever
happens to the store happens to both, so they can't disagree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

MAPPING_ROW = "#mapping"
"""Sort key of the row that says that a mapping has been started once."""


def table_name(stack_name: str) -> str:
    """Return the name of the table that holds a stack's checkpoints."""
    return f"{stack_name}-local-checkpoints"


@dataclass(frozen=True)
class Position:
    """How far a shard is processed.

    Attributes
    ----------
    sequence
        Everything up to this sequence number is done.
    from_s
        Nothing is done yet; start with what arrived at this second or later. Without this and
        without a sequence number, start with the oldest record.
    finished
        The shard was closed and everything in it is done.
    """

    sequence: str | None = None
    from_s: float | None = None
    finished: bool = False


class Checkpoints:
    """The checkpoints of one event source mapping.

    Parameters
    ----------
    dynamodb
        DynamoDB client.
    table
        The table; `prepare` makes it.
    mapping
        UUID of the mapping.
    """

    def __init__(self, dynamodb: Any, table: str, mapping: str) -> None:  # noqa: ANN401
        self._dynamodb = dynamodb
        self._table = table
        self._mapping = mapping

    def prepare(self) -> None:
        """Make the table if it isn't there."""
        try:
            self._dynamodb.create_table(
                TableName=self._table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[
                    {"AttributeName": "pk", "AttributeType": "S"},
                    {"AttributeName": "sk", "AttributeType": "S"},
                ],
                KeySchema=[
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceInUseException":
                raise

    def load(self) -> dict[str, Position] | None:
        """Return the position of every shard; ``None`` when the mapping was never started."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :mapping",
            ExpressionAttributeValues={":mapping": {"S": self._mapping}},
            ConsistentRead=True,
        )
        rows = {row["sk"]["S"]: row for page in pages for row in page["Items"]}
        if MAPPING_ROW not in rows:
            return None
        return {shard: _position(row) for shard, row in rows.items() if shard != MAPPING_ROW}

    def begin(self, positions: Mapping[str, Position]) -> None:
        """Note where the shards that exist at the mapping's first start begin."""
        for shard, position in positions.items():
            self.save(shard, position)
        self._dynamodb.put_item(TableName=self._table, Item=self._key(MAPPING_ROW))

    def save(self, shard: str, position: Position) -> None:
        """Note how far a shard is processed."""
        item = {**self._key(shard), "finished": {"BOOL": position.finished}}
        if position.sequence is not None:
            item["sequence"] = {"S": position.sequence}
        if position.from_s is not None:
            item["from_s"] = {"N": f"{position.from_s:.3f}"}
        self._dynamodb.put_item(TableName=self._table, Item=item)

    def _key(self, row: str) -> dict[str, Any]:
        return {"pk": {"S": self._mapping}, "sk": {"S": row}}


def _position(row: Mapping[str, Any]) -> Position:
    return Position(
        sequence=row["sequence"]["S"] if "sequence" in row else None,
        from_s=float(row["from_s"]["N"]) if "from_s" in row else None,
        finished=row["finished"]["BOOL"],
    )
