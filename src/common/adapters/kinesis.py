"""The stream on Amazon Kinesis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from common.adapters.calls import USER_AGENT
from common.errors import StoreError, ThrottledError
from common.ports.stream import PutFailure, StreamRecord

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import (
        PutRecordsOutputTypeDef,
        PutRecordsRequestEntryTypeDef,
        PutRecordsResultEntryTypeDef,
    )

CLIENT_CONFIG = Config(
    user_agent=USER_AGENT,
    connect_timeout=1,
    read_timeout=2,
    retries={"total_max_attempts": 1, "mode": "standard"},
)
"""One attempt a call: the sender repeats what failed itself, and has five seconds in all."""

_THROTTLES = frozenset(
    {
        "KMSThrottlingException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
    }
)


class KinesisSink:
    """Puts records on one stream."""

    def __init__(self, client: KinesisClient, stream_name: str) -> None:
        self._client = client
        self._stream_name = stream_name

    def put(self, records: Sequence[StreamRecord]) -> Sequence[PutFailure | None]:
        """Offer records in one ``PutRecords``; see :class:`common.ports.stream.EventSink`."""
        try:
            answer = self._client.put_records(
                StreamName=self._stream_name, Records=[_entry(record) for record in records]
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _THROTTLES:
                raise ThrottledError("the stream is throttled") from error
            raise StoreError(f"the stream refused the call: {code}") from error
        except BotoCoreError as error:
            raise StoreError(f"the stream was not reached: {type(error).__name__}") from error
        except Exception as error:
            # An answer that is not Kinesis's, a proxy's page for example: botocore's parser fails
            # in many ways. None may cost the client the receipt for what was acknowledged before.
            raise StoreError(
                f"the stream's answer is unreadable: {type(error).__name__}"
            ) from error
        return _results(answer, len(records))


def _entry(record: StreamRecord) -> PutRecordsRequestEntryTypeDef:
    return {
        "Data": record.data,
        "PartitionKey": record.partition_key,
        "ExplicitHashKey": record.explicit_hash_key,
    }


def _results(answer: PutRecordsOutputTypeDef, count: int) -> Sequence[PutFailure | None]:
    results = answer.get("Records")
    if not isinstance(results, list):
        raise StoreError("the stream's answer is unreadable: it has no Records")
    if len(results) != count:
        raise StoreError("the stream answered for another number of records")
    return [_failure(result or {}) for result in results]


def _failure(result: PutRecordsResultEntryTypeDef) -> PutFailure | None:
    code = result.get("ErrorCode")
    if code is None and result.get("SequenceNumber"):
        return None
    return "throttled" if code in _THROTTLES else "store_failed"
