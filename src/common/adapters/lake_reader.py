"""Whole hours of the lake from S3 to local files."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from common.adapters.calls import in_parallel, our_errors
from common.domain.keys import lake_prefix
from common.errors import StoreError
from common.ports.lake_reader import LakeReader

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MB = 1 << 20


class S3LakeReader(LakeReader):
    """Lists an hour's prefix, then downloads several objects at a time."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def download(self, hour: datetime, directory: Path) -> Mapping[Path, str]:
        sizes = self._list(lake_prefix(hour))
        needed, free = sum(sizes.values()), shutil.disk_usage(directory).free
        if needed > free:
            raise StoreError(
                f"the objects under {lake_prefix(hour)} have {needed // _MB} MB and "
                f"{free // _MB} MB of disk are free: raise EphemeralStorage of AggregateFunction"
            )
        files = {directory / f"{n:06d}.parquet": key for n, key in enumerate(sizes)}
        in_parallel(lambda file: self._download(files[file], file), list(files))
        return files

    def _list(self, prefix: str) -> dict[str, int]:
        sizes: dict[str, int] = {}
        with our_errors("s3:ListObjectsV2"):
            paginator = self._client.get_paginator("list_objects_v2")
            for page in paginator.paginate(Bucket=self._bucket, Prefix=prefix):
                for found in page.get("Contents", ()):
                    if found["Key"].endswith(".parquet"):
                        sizes[found["Key"]] = found["Size"]
        return sizes

    def _download(self, key: str, file: Path) -> None:
        with our_errors("s3:GetObject"), file.open("wb") as target:
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
            shutil.copyfileobj(body, target)
