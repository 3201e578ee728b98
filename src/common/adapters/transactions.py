"""Conditional puts, many in one transaction: all of them, or none and what stands in the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from common.adapters.calls import error_code, our_errors
from common.errors import StoreError, ThrottledError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_WRITE_AT_ONCE = 100
_TRANSACTION_BYTES = 4_000_000
"""DynamoDB takes 100 items and 4 MB in one transaction."""
_TRIES = 5
"""Of a transaction that meets another one."""

_Change = TypeVar("_Change")

Put = Mapping[str, Any]
"""Parameters of ``PutItem``, which asks for the old item when its condition is lost."""


class Transactions:
    """Puts items of one table together.

    Parameters
    ----------
    client
        A DynamoDB client.
    what
        What the items are, for the message when others write them at the same time.
    """

    def __init__(self, client: DynamoDBClient, what: str) -> None:
        self._client = client
        self._what = what

    def put(self, puts: Sequence[Put]) -> Mapping[int, Mapping[str, Any]]:
        """Put all; or none, and return the items whose condition was lost, by their place.

        A single write needs no transaction, which costs twice as much.

        Raises
        ------
        ThrottledError, StoreError
            All may have been put or none, and may yet be.
        """
        if len(puts) == 1:
            return self._put_one(puts[0])
        with our_errors("dynamodb:TransactWriteItems"):
            for _ in range(_TRIES):
                try:
                    # botocore adds a token, by which a try whose answer got lost is known again.
                    self._client.transact_write_items(
                        TransactItems=[{"Put": put} for put in puts]  # type: ignore[typeddict-item]
                    )
                    return {}
                except ClientError as error:
                    reasons = error.response.get("CancellationReasons")
                    if error_code(error) != "TransactionCanceledException" or not reasons:
                        raise
                    refused = _refused(reasons)
                    if refused:
                        return refused
        raise ThrottledError(
            f"dynamodb:TransactWriteItems met other writes of the same {self._what}"
        )

    def _put_one(self, put: Put) -> Mapping[int, Mapping[str, Any]]:
        with our_errors("dynamodb:PutItem"):
            try:
                self._client.put_item(**put)
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                # The item lies beside "Error" in the answer; missing when nothing is stored.
                return {0: error.response.get("Item") or {}}  # type: ignore[dict-item]
        return {}


def in_transactions(sized: Iterable[tuple[_Change, int]]) -> Iterator[list[_Change]]:
    """Cut changes into what one transaction takes.

    Parameters
    ----------
    sized
        Changes, each with the bytes of its item.
    """
    some: list[_Change] = []
    total = 0
    for change, size in sized:
        if some and (len(some) == _WRITE_AT_ONCE or total + size > _TRANSACTION_BYTES):
            yield some
            some, total = [], 0
        some.append(change)
        total += size
    if some:
        yield some


def _refused(reasons: Sequence[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    """Return the lost conditions; empty when the transaction only met another one.

    Raises
    ------
    ThrottledError
        DynamoDB asks for a pause.
    StoreError
        It refuses an item, and would again.
    """
    codes = {reason.get("Code", "None") for reason in reasons}
    if throttles := codes & {"ThrottlingError", "ProvisionedThroughputExceeded"}:
        raise ThrottledError(f"dynamodb:TransactWriteItems was throttled: {throttles.pop()}")
    if others := codes - {"None", "ConditionalCheckFailed", "TransactionConflict"}:
        raise StoreError(f"dynamodb:TransactWriteItems failed: {min(others)}")
    return {
        nth: reason.get("Item") or {}
        for nth, reason in enumerate(reasons)
        if reason.get("Code") == "ConditionalCheckFailed"
    }
