from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
import sqlglot
from moto import mock_aws

from common.errors import StoreError
from eventstream.lake.cache import LakeCache, LakeChangedError
from eventstream.lake.pruning import Pruning

BUCKET = "lake"
ALL = Pruning(None)


def where(condition: str) -> Pruning:
    return Pruning(sqlglot.parse_one(f"SELECT 1 FROM events WHERE {condition}"))  # noqa: S608


def key(day: int, hour: int, name: str = "a") -> str:
    return f"events/year=2026/month=02/day={day:02d}/hour={hour:02d}/{name}.parquet"


@dataclass
class Watched:
    """An S3 client that remembers its calls, and may change the lake before one."""

    client: Any
    fetched: list[str] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    before_fetch: Any = None

    def get_object(self, **wanted: Any) -> Any:
        if self.before_fetch is not None:
            self.before_fetch(wanted["Key"])
        self.fetched.append(wanted["Key"])
        return self.client.get_object(**wanted)

    def get_paginator(self, name: str) -> Any:
        paginator, listed = self.client.get_paginator(name), self.listed

        class Paginator:
            def paginate(self, **wanted: Any) -> Any:
                listed.append(wanted["Prefix"])
                return paginator.paginate(**wanted)

        return Paginator()

    def put(self, key: str, body: bytes = b"rows") -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=body)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=BUCKET, Key=key)


@pytest.fixture
def s3() -> Iterator[Watched]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield Watched(client)


@pytest.fixture
def cache(s3: Watched, tmp_path: Path) -> LakeCache:
    return LakeCache(s3, BUCKET, tmp_path)  # type: ignore[arg-type]


def contents(cache: LakeCache, pruning: Pruning = ALL) -> list[bytes]:
    return [path.read_bytes() for path in cache.files(pruning)]


def test_an_object_is_fetched_once(s3: Watched, cache: LakeCache) -> None:
    s3.put(key(20, 9), b"1")
    s3.put(key(20, 10), b"2")

    assert contents(cache) == contents(cache) == [b"1", b"2"]
    assert sorted(s3.fetched) == [key(20, 9), key(20, 10)]


def test_a_copy_lies_in_the_folders_of_its_partition_and_nowhere_else(
    s3: Watched, cache: LakeCache, tmp_path: Path
) -> None:
    s3.put(key(20, 9, name="..%2F..%2Fetc"))
    s3.put(key(20, 9, name="x" * 260))

    files = cache.files(ALL)

    folder = tmp_path / "year=2026" / "month=02" / "day=20" / "hour=09"
    assert {path.parent for path in files} == {folder}
    assert all(len(path.name) < 64 for path in files)


def test_what_is_no_lake_object_is_left_alone(s3: Watched, cache: LakeCache) -> None:
    for other in ("events/readme.txt", "events/year=2026/x.parquet", "quarantine/x.parquet"):
        s3.put(other)
    s3.put("events/year=2026/month=02/day=20/hour=09/../../x.parquet")

    assert cache.files(ALL) == []
    assert s3.fetched == []


def test_a_replaced_object_is_fetched_again_and_its_old_copy_dropped(
    s3: Watched, cache: LakeCache, tmp_path: Path
) -> None:
    s3.put(key(20, 9), b"old")
    cache.files(ALL)
    s3.put(key(20, 9), b"new")

    assert contents(cache) == [b"new"]
    assert [path.read_bytes() for path in tmp_path.rglob("*.parquet")] == [b"new"]


def test_the_copy_of_a_deleted_object_is_dropped(
    s3: Watched, cache: LakeCache, tmp_path: Path
) -> None:
    s3.put(key(20, 9))
    s3.put(key(20, 10))
    cache.files(ALL)
    s3.delete(key(20, 9))

    assert len(cache.files(ALL)) == 1
    assert len(list(tmp_path.rglob("*.parquet"))) == 1


def test_copies_that_a_query_does_not_need_are_kept(s3: Watched, cache: LakeCache) -> None:
    s3.put(key(20, 9))
    s3.put(key(21, 9))
    cache.files(ALL)

    cache.files(where("day = 20"))
    cache.files(ALL)

    assert len(s3.fetched) == 2


def test_only_the_partitions_that_are_needed_are_listed_and_fetched(
    s3: Watched, cache: LakeCache
) -> None:
    for day in (19, 20, 21):
        s3.put(key(day, 9))

    files = cache.files(where("year = 2026 AND day >= 21"))

    assert s3.fetched == [key(21, 9)]
    assert len(files) == 1
    assert "events/year=2026/month=02/day=19/" not in s3.listed
    assert s3.listed[-1] == "events/year=2026/month=02/day=21/"


def test_without_a_condition_one_listing_is_enough(s3: Watched, cache: LakeCache) -> None:
    for day in (19, 20, 21):
        s3.put(key(day, 9))

    cache.files(where("user_id = 'x'"))

    assert s3.listed == ["events/"]


def test_a_condition_on_hours_alone_is_held_too(s3: Watched, cache: LakeCache) -> None:
    for hour in (8, 9, 10):
        s3.put(key(20, hour), str(hour).encode())

    assert contents(cache, where("hour = 9")) == [b"9"]


def test_partitions_are_listed_without_fetching(s3: Watched, cache: LakeCache) -> None:
    s3.put(key(20, 9))
    s3.put(key(20, 9, name="b"))
    s3.put(key(3, 23))

    assert cache.partitions() == [
        {"year": 2026, "month": 2, "day": 3, "hour": 23},
        {"year": 2026, "month": 2, "day": 20, "hour": 9},
    ]
    assert s3.fetched == []


def test_an_object_that_is_replaced_while_it_is_read_is_listed_again(
    s3: Watched, cache: LakeCache
) -> None:
    s3.put(key(20, 9), b"1")

    def compact(_key: str) -> None:
        s3.before_fetch = None
        s3.put(key(20, 9, name="compacted"), b"2")
        s3.delete(key(20, 9))

    s3.before_fetch = compact

    assert contents(cache) == [b"2"]


def test_a_lake_that_never_stands_still_is_told(s3: Watched, cache: LakeCache) -> None:
    versions = iter(range(100))
    s3.put(key(20, 9))
    s3.before_fetch = lambda _key: s3.put(key(20, 9), str(next(versions)).encode())

    with pytest.raises(LakeChangedError, match="try again"):
        cache.files(ALL)


def test_an_aborted_fetch_leaves_no_half_copy(
    s3: Watched, cache: LakeCache, tmp_path: Path
) -> None:
    s3.put(key(20, 9))

    def die(_key: str) -> None:
        raise KeyboardInterrupt

    s3.before_fetch = die
    with pytest.raises(KeyboardInterrupt):
        cache.files(ALL)

    assert list(tmp_path.rglob("*.parquet")) == []


def test_progress_is_shown_for_what_is_fetched_and_not_otherwise(
    s3: Watched, tmp_path: Path
) -> None:
    shown: list[int] = []

    class Counting:
        def advance(self, count: int) -> None:
            shown.append(count)

    @contextmanager
    def show(total: int) -> Iterator[Counting]:
        shown.append(total)
        yield Counting()

    cache = LakeCache(s3, BUCKET, tmp_path, show)  # type: ignore[arg-type]
    for hour in (8, 9, 10):
        s3.put(key(20, hour))

    cache.files(ALL)
    cache.files(ALL)

    assert shown == [3, 1, 1, 1]


def test_a_bucket_that_is_gone_is_our_error(s3: Watched, tmp_path: Path) -> None:
    cache = LakeCache(s3, "other", tmp_path)  # type: ignore[arg-type]

    with pytest.raises(StoreError, match="s3:ListBucket failed: NoSuchBucket"):
        cache.files(ALL)
