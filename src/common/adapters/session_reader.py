"""People's items, read many at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from common.adapters.calls import our_errors
from common.adapters.patience import Patience, longer_and_longer
from common.adapters.session_items import key_of
from common.errors import ThrottledError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_AT_ONCE = 100


class SessionReader:
    """Reads items as they were a moment ago: half the price, and who writes finds out anyway."""

    def __init__(self, client: DynamoDBClient, table: str, patience: Patience) -> None:
        self._client = client
        self._table = table
        self._patience = patience

    def items(self, keys: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """Yield what is stored under some people's names in keys, in any order.

        Raises
        ------
        ThrottledError, StoreError
            DynamoDB does not answer, or not for all keys in the time that there is for it.
        """
        for begin in range(0, len(keys), _AT_ONCE):
            yield from self._some([key_of(key) for key in keys[begin : begin + _AT_ONCE]])

    def _some(self, keys: Sequence[dict[str, Any]]) -> Iterator[Mapping[str, Any]]:
        left: Any = {self._table: {"Keys": keys}}
        bounds_s = longer_and_longer()
        while left:
            try:
                with our_errors("dynamodb:BatchGetItem"):
                    answer = self._client.batch_get_item(RequestItems=left)
            except ThrottledError:
                if not self._patience.pause(next(bounds_s)):
                    raise
                continue
            left = answer.get("UnprocessedKeys")
            if found := answer["Responses"].get(self._table, []):
                # Keys are left by items that are more than 16 MB together, too: no reason to wait.
                self._patience.answered()
                yield from found
            elif left and not self._patience.pause(next(bounds_s)):
                raise ThrottledError("dynamodb:BatchGetItem left keys unprocessed")
