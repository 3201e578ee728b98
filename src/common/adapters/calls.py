"""What every AWS call of the stores has in common: time limits, and our errors for its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from botocore import __version__ as botocore_version
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from common.errors import StoreError, ThrottledError

PARALLEL_CALLS = 8
"""Calls of one invocation at a time: threads save waiting, not CPU, and CPU binds first."""

USER_AGENT = f"EventStream Botocore/{botocore_version}"
"""Given, because botocore puts its own together anew for each call, a fifth of a call's CPU."""

CLIENT_CONFIG = Config(
    user_agent=USER_AGENT,
    connect_timeout=1,
    read_timeout=5,
    max_pool_connections=PARALLEL_CALLS,
    retries={"mode": "standard", "total_max_attempts": 3},
)
"""Three tries of at most 5 s; what still fails is redelivered by the stream."""

_Item = TypeVar("_Item")

_THROTTLES = frozenset(
    {
        "ConditionalRequestConflict",
        "OperationAborted",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)


def error_code(error: ClientError) -> str:
    """Return AWS's code of an error, e.g. ``ConditionalCheckFailedException``."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))


@contextmanager
def our_errors(call: str) -> Iterator[None]:
    """Turn what botocore raises into our errors.

    Parameters
    ----------
    call
        Names the call in the message, e.g. ``s3:PutObject``. The message carries AWS's error code
        and never its text, which may quote the request.
    """
    try:
        yield
    except ClientError as error:
        code = error_code(error)
        if code in _THROTTLES:
            raise ThrottledError(f"{call} was throttled: {code}") from error
        raise StoreError(f"{call} failed: {code}") from error
    # The last two are what an answer that is not AWS's raises, a proxy's page for example.
    except (BotoCoreError, ResponseParserError, UnicodeDecodeError) as error:
        raise StoreError(f"{call} failed: {type(error).__name__}") from error


def in_parallel(call: Callable[[_Item], None], items: Sequence[_Item]) -> None:
    """Make one call for each item, at most :data:`PARALLEL_CALLS` at a time.

    Returns, or raises the first error, only after every call that was begun has ended.
    """
    if len(items) < 2:
        for item in items:
            call(item)
        return
    with ThreadPoolExecutor(min(PARALLEL_CALLS, len(items))) as pool:
        for _ in pool.map(call, items):
            pass
