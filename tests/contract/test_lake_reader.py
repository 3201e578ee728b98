"""The fake lake reader of the tests and the adapter on S3 must behave alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import boto3
import pytest
from moto import mock_aws

from common.adapters.lake_reader import S3LakeReader
from common.domain.keys import lake_key, lake_prefix
from common.domain.windows import HOUR
from common.errors import StoreError
from common.ports.lake_reader import LakeReader
from fakes.lake_reader import MemoryLakeReader

NINE = datetime(2026, 11, 20, 9, tzinfo=UTC)
BUCKET = "lake"


class Lake(LakeReader, Protocol):
    def put(self, key: str, data: bytes) -> None: ...


class MemoryLake(MemoryLakeReader):
    def put(self, key: str, data: bytes) -> None:
        self.objects[key] = data


class S3Lake(S3LakeReader):
    def __init__(self, client: Any) -> None:
        super().__init__(client, BUCKET)
        self.client = client

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=data)


@pytest.fixture
def s3() -> Iterator[S3Lake]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield S3Lake(client)


@pytest.fixture(params=["memory", "s3"])
def lake(request: pytest.FixtureRequest) -> Lake:
    if request.param == "memory":
        return MemoryLake()
    found: Lake = request.getfixturevalue("s3")
    return found


def key(hour: datetime, n: int = 0) -> str:
    return lake_key(hour, "stream", "shardId-000000000000", str(n), str(n + 1))


def test_every_object_of_the_hour_becomes_a_file(lake: Lake, tmp_path: Path) -> None:
    hour = {key(NINE, n): b"%d" % n for n in range(12)}
    for name, data in (hour | {key(NINE + HOUR): b"next", key(NINE - HOUR): b"last"}).items():
        lake.put(name, data)

    files = lake.download(NINE, tmp_path)

    assert {name: file.read_bytes() for file, name in files.items()} == hour
    assert {file.parent for file in files} == {tmp_path}


def test_an_hour_without_objects_has_no_files(lake: Lake, tmp_path: Path) -> None:
    assert lake.download(NINE, tmp_path) == {}


def test_what_is_no_parquet_object_is_left_alone(lake: Lake, tmp_path: Path) -> None:
    lake.put(f"{lake_prefix(NINE)}notes.txt", b"not ours")

    assert lake.download(NINE, tmp_path) == {}


def test_more_objects_than_one_page_lists_are_all_there(s3: S3Lake, tmp_path: Path) -> None:
    for n in range(1005):
        s3.put(key(NINE, n), b"x")

    assert len(s3.download(NINE, tmp_path)) == 1005


def test_an_hour_that_does_not_fit_the_disk_says_what_to_raise(
    s3: S3Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put(key(NINE), bytes(2 << 20))
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1 << 20}))

    with pytest.raises(StoreError, match=r"hour=09/ have 2 MB and 1 MB .* raise EphemeralStorage"):
        s3.download(NINE, tmp_path)


def test_a_bucket_that_fails_is_told_by_our_error(s3: S3Lake, tmp_path: Path) -> None:
    s3.client.delete_bucket(Bucket=BUCKET)

    with pytest.raises(StoreError, match="s3:ListObjectsV2 failed: NoSuchBucket"):
        s3.download(NINE, tmp_path)
