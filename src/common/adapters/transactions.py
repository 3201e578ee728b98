"""Conditional puts, many in one transaction: all of them, or none and what stands in the way.

A table that is busy is waited for here: who gives up has its whole batch come again, and that
begins with all that the table has taken already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from common.adapters.calls import error_code, our_errors
from common.adapters.patience import SHORT_S, Patience, longer_and_longer
from common.errors import StoreError, ThrottledError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_WRITE_AT_ONCE = 100
_TRANSACTION_BYTES = 4_000_000
"""DynamoDB takes 100 items and 4 MB in one transaction."""

_LOST = "ConditionalCheckFailed"
_CONFLICT = "TransactionConflict"
"""Another transaction holds an item at this moment."""
_THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingError",
        "TransactionInProgress",
    }
)
"""DynamoDB asks for a pause, by the codes of cancelled transactions and of refused calls."""

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
    patience
        Waits for the table while it is busy.
    """

    def __init__(self, client: DynamoDBClient, what: str, patience: Patience) -> None:
        self._client = client
        self._what = what
        self._patience = patience

    def put(self, puts: Sequence[Put]) -> Mapping[int, Mapping[str, Any]]:
        """Put all; or none, and return the items whose condition was lost, by their place.

        A try that met another write, or was throttled, is repeated after a pause. Nothing of it
        was written then, unless an answer got lost before: that is a condition lost to itself.

        Raises
        ------
        ThrottledError, StoreError
            All may have been put or none, and may yet be.
        """
        call = "dynamodb:PutItem" if len(puts) == 1 else "dynamodb:TransactWriteItems"
        bounds_s = longer_and_longer()
        with our_errors(call):
            while True:
                try:
                    self._try(puts)
                    self._patience.answered()
                    return {}
                except ClientError as error:
                    reasons = _reasons(error)
                codes, lost = _codes(reasons, call), _lost(reasons)
                # Who is told what is lost need not wait for another write to end, but the next
                # try, whatever it is of, must wait for a table that asks for a pause.
                if throttles := codes & _THROTTLED:
                    if not self._patience.pause(next(bounds_s)):
                        raise ThrottledError(f"{call} was throttled: {min(throttles)}")
                elif not lost and not self._patience.pause(SHORT_S):
                    raise ThrottledError(f"{call} met other writes of the same {self._what}")
                if lost:
                    self._patience.answered()
                    return lost

    def _try(self, puts: Sequence[Put]) -> None:
        # A single write needs no transaction, which costs twice as much.
        if len(puts) == 1:
            self._client.put_item(**puts[0])
            return
        # botocore adds a token, by which its own repetition of a try whose answer got lost is known
        # again; the next call has a token of its own, and is another transaction.
        # A tuple, as botocore searches lists for the names of tables, one by one, to find an
        # endpoint by ARNs that there are none of: a fifth of the time of the call.
        self._client.transact_write_items(
            TransactItems=tuple({"Put": put} for put in puts)  # type: ignore[typeddict-item]
        )


def _reasons(error: ClientError) -> Sequence[Mapping[str, Any]]:
    """Return why a try failed: a reason for each of its puts, or one for the call."""
    code = error_code(error)
    reasons = error.response.get("CancellationReasons")
    if code == "TransactionCanceledException" and reasons:
        return reasons
    code = code.removesuffix("Exception")
    if code not in {_LOST, _CONFLICT} | _THROTTLED:
        raise error
    # The item lies beside "Error" in the answer; missing when nothing is stored.
    return [{"Code": code, "Item": error.response.get("Item")}]


def _codes(reasons: Sequence[Mapping[str, Any]], call: str) -> set[str]:
    """Return the codes of reasons after which a try may be repeated.

    Raises
    ------
    StoreError
        DynamoDB refuses an item, and would again.
    """
    codes = {reason.get("Code", "None") for reason in reasons} - {"None"}
    if others := codes - {_LOST, _CONFLICT} - _THROTTLED:
        raise StoreError(f"{call} failed: {min(others)}")
    return codes


def _lost(reasons: Sequence[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    return {
        nth: reason.get("Item") or {}
        for nth, reason in enumerate(reasons)
        if reason.get("Code") == _LOST
    }


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
