"""API keys in DynamoDB: one item a key, found by its id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from common.adapters.calls import USER_AGENT, our_errors
from common.adapters.items import from_item, to_item
from common.domain.api_keys import ApiKey, read_scopes
from common.errors import StoreError
from common.models import parse_instant

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEYS_CLIENT_CONFIG = Config(
    user_agent=USER_AGENT,
    connect_timeout=1,
    read_timeout=1,
    retries={"mode": "standard", "total_max_attempts": 2},
)
"""Two tries of at most 2 s: a client waits for this answer, and a request must go on after it."""


class DynamoApiKeys:
    """Reads ``KeysTable``; functions may do nothing else with it."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def find(self, key_id: str) -> ApiKey | None:
        """See :meth:`common.ports.api_keys.ApiKeyStore.find`."""
        with our_errors("dynamodb:GetItem"):
            # Consistent, so that a key works at once and a revoked one is not read as valid.
            answer = self._client.get_item(
                TableName=self._table_name, Key=to_item({"id": key_id}), ConsistentRead=True
            )
        return api_key(answer["Item"]) if "Item" in answer else None


def key_item(key: ApiKey) -> dict[str, Any]:
    """Return the item of a key."""
    return to_item(
        {
            "id": key.id,
            "name": key.name,
            "secret_hash": key.secret_hash,
            "scopes": sorted(key.scopes),
            "origins": key.origins,
            "created_at": key.created_at,
            "revoked_at": key.revoked_at,
        }
    )


def api_key(item: Mapping[str, Any]) -> ApiKey:
    """Return the key of an item.

    Raises
    ------
    StoreError
        It is not an item that :func:`key_item` makes: such a key is neither valid nor unknown.
    """
    row = from_item(item)
    try:
        revoked_at = row.get("revoked_at")
        return ApiKey(
            id=row["id"],
            name=row["name"],
            secret_hash=row["secret_hash"],
            scopes=read_scopes(row["scopes"]),
            origins=tuple(row["origins"]),
            created_at=parse_instant(row["created_at"]),
            revoked_at=parse_instant(revoked_at) if revoked_at is not None else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"an item of the keys table cannot be read: {type(error).__name__}"
        ) from error
