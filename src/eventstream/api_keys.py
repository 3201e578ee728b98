"""Making, listing and revoking API keys, with the rights of the person at the command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from botocore.exceptions import ClientError

from common.adapters.api_keys import api_key, key_item
from common.adapters.items import to_item
from common.domain.api_keys import (
    ApiKey,
    hash_secret,
    make_key,
    parse,
    read_origin,
    read_scopes,
)
from eventstream.output import CommandError, UsageProblemError

TABLE = "KeysTable"
MAX_NAME = 128
MAX_ORIGINS = 50


class KeyNotFoundError(CommandError):
    """There is no key of that id."""


class Stack(Protocol):
    """The part of a target that is needed here."""

    def client(self, service: str) -> Any:  # noqa: ANN401 - one of 400 client types
        """Return a boto3 client for it."""
        ...

    def resource(self, logical_id: str) -> str:
        """Return the physical name of a resource of the template."""
        ...


class KeyRing:
    """The keys of one pipeline.

    Parameters
    ----------
    stack
        The pipeline.
    entropy, now
        Where new keys come from, and the clock.
    """

    def __init__(
        self,
        stack: Stack,
        *,
        entropy: Callable[[int], bytes] = os.urandom,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = stack.client("dynamodb")
        self._table = stack.resource(TABLE)
        self._entropy = entropy
        self._now = now

    def create(
        self, name: str, scopes: Sequence[str], origins: Sequence[str]
    ) -> tuple[str, ApiKey]:
        """Make a key and store what is kept of it.

        Returns
        -------
        tuple[str, ApiKey]
            The key itself, which nobody can tell again, and its record.

        Raises
        ------
        UsageProblemError
            A name, scope or origin that can't be; or a key for web pages that may read.
        """
        text, made = make_key(self._entropy)
        key = ApiKey(
            id=made.id,
            name=_read_name(name),
            secret_hash=hash_secret(made.secret),
            scopes=_read(read_scopes, scopes, "--scope"),
            origins=tuple(dict.fromkeys(_read(read_origin, each, "--origin") for each in origins)),
            created_at=self._now(),
        )
        if key.origins and key.scopes != {"ingest"}:
            raise UsageProblemError(
                "--origin makes a key for web pages, which everybody can read in their source: "
                "such a key may send events and nothing else (--scope ingest)"
            )
        if len(key.origins) > MAX_ORIGINS:
            raise UsageProblemError(f"--origin: at most {MAX_ORIGINS} for a key")
        self._client.put_item(
            TableName=self._table,
            Item=key_item(key),
            ConditionExpression="attribute_not_exists(id)",
        )
        return text, key

    def every(self) -> list[ApiKey]:
        """Return every key, revoked ones too, oldest first."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table, ConsistentRead=True
        )
        found = [api_key(item) for page in pages for item in page["Items"]]
        return sorted(found, key=lambda key: (key.created_at, key.id))

    def find(self, key_or_id: str) -> ApiKey:
        """Return the record of a key, given its id or, when it leaked, the key itself.

        Raises
        ------
        KeyNotFoundError
            There is none.
        """
        presented = parse(key_or_id)
        key_id = presented.id if presented else key_or_id
        answer = self._client.get_item(
            TableName=self._table, Key={"id": {"S": key_id}}, ConsistentRead=True
        )
        if "Item" not in answer:
            # What was given is not repeated: it may be a key with a typing error in it.
            raise KeyNotFoundError("there is no such key: `eventstream keys list` shows their ids")
        return api_key(answer["Item"])

    def revoke(self, key: ApiKey) -> ApiKey:
        """Revoke a key for good, and return its record; one that was revoked stays as it was."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"id": {"S": key.id}},
                UpdateExpression="SET revoked_at = :now",
                ConditionExpression="attribute_exists(id) AND attribute_not_exists(revoked_at)",
                ExpressionAttributeValues=to_item({":now": self._now()}),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
        return self.find(key.id)


def _read_name(name: str) -> str:
    if len(name) > MAX_NAME or not name.isprintable():
        raise UsageProblemError(f"--name: at most {MAX_NAME} printable characters")
    return name


def _read(reader: Callable[[Any], Any], given: object, option: str) -> Any:  # noqa: ANN401
    try:
        return reader(given)
    except ValueError as error:
        raise UsageProblemError(f"{option}: {error}") from None
