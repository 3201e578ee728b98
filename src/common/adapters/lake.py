"""The lake in S3. Every object is created once: its key says what it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from common.adapters.calls import error_code, in_parallel, our_errors
from common.adapters.parquet import encode
from common.domain.bad_lines import BadLine
from common.domain.keys import quarantine_key
from common.ports.lake import Lake, LakeObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TRIES_AGAINST_RACES = 3


class S3Lake(Lake):
    """Writes the lake's objects and the quarantine into one bucket.

    An object that is there already was written by an earlier delivery of the same records, or by
    an earlier try whose answer got lost: nothing is left to do.
    """

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put_events(self, objects: Sequence[LakeObject]) -> None:
        in_parallel(self._put_object, objects)

    def put_quarantine(self, lines: Sequence[BadLine]) -> None:
        in_parallel(self._put_bad_line, lines)

    def _put_object(self, one: LakeObject) -> None:
        self._create(one.key, encode(one.lines), "application/vnd.apache.parquet")

    def _put_bad_line(self, bad: BadLine) -> None:
        at = bad.position
        key = quarantine_key(at.stream, at.shard, at.sequence, bad.line)
        self._create(key, bad.as_json(), "application/json")

    def _create(self, key: str, body: bytes, content_type: str) -> None:
        with our_errors("s3:PutObject"):
            for tries_left in reversed(range(_TRIES_AGAINST_RACES)):
                try:
                    self._client.put_object(
                        Bucket=self._bucket,
                        Key=key,
                        Body=body,
                        ContentType=content_type,
                        IfNoneMatch="*",
                    )
                    return
                except ClientError as error:
                    code = error_code(error)
                    if code == "PreconditionFailed":
                        return
                    # Another write of the same key was under way; who won is known only now.
                    if code != "ConditionalRequestConflict" or not tries_left:
                        raise
