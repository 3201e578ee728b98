"""A batch that the mapping gave up on, as Lambda writes it to the failure bucket.

Fields as in "Retain discarded batch records for a Kinesis Data Streams event source in Lambda" of
the Lambda developer guide. Only an S3 destination gets the ``payload``; queues and topics get the
rest, which names the records and doesn't hold them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import PydanticCustomError

from common.models import parse_instant
from eventstream.replay.kept import Listed, UnreadableObjectError

PREFIX = "aws/lambda/"


@dataclass(frozen=True, slots=True)
class Failed:
    """One object of the failure bucket."""

    listed: Listed
    at: datetime
    """When the mapping gave up."""
    condition: str
    """Why, in Lambda's word, whichever it is: :mod:`eventstream.local.batches` has those known."""
    invocations: int
    error: str | None
    """``Unhandled`` when the function failed; ``None`` when it asked for the records again."""
    stream: str
    shard: str
    first: str
    last: str
    batch_size: int
    records: Sequence[Mapping[str, Any]] | None
    """The batch as the function was given it; ``None`` where only its description was kept."""

    @property
    def key(self) -> str:
        """Return the object's key."""
        return self.listed.key

    @property
    def short_id(self) -> str:
        """Return the end of the key that names the object."""
        return self.key.rpartition("/")[2]


def read_failed(listed: Listed, body: bytes) -> Failed:
    """Read an object of the failure bucket.

    Raises
    ------
    UnreadableObjectError
        It is none that Lambda writes for a Kinesis stream.
    """
    try:
        found = json.loads(body)
        why, batch = found["requestContext"], found["KinesisBatchInfo"]
        response = found.get("responseContext") or {}
        return Failed(
            listed,
            _instant(found.get("timestamp")) or listed.written_at,
            str(why["condition"]),
            int(why.get("approximateInvokeCount", 0)),
            response.get("functionError"),
            str(batch["streamArn"]).rpartition("/")[2],
            str(batch["shardId"]),
            str(batch["startSequenceNumber"]),
            str(batch["endSequenceNumber"]),
            int(batch["batchSize"]),
            _records(found.get("payload")),
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        why = f"is no batch of a Kinesis stream that Lambda gave up on ({type(error).__name__})"
        raise UnreadableObjectError(listed.key, why) from None


def _instant(text: object) -> datetime | None:
    try:
        return parse_instant(text)
    except PydanticCustomError:
        return None


def _records(payload: object) -> Sequence[Mapping[str, Any]] | None:
    """Return the records of an invocation; Lambda writes it as text."""
    if payload is None:
        return None
    event = json.loads(payload) if isinstance(payload, str) else payload
    records = event["Records"]  # type: ignore[index]
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        raise TypeError("Records is no list of objects")
    return records
