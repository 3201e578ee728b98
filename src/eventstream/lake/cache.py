"""A copy of the lake's objects on this machine, as fresh as its last listing.

An object is fetched once for each version (ETag) of it. Files are named by a hash, so that
nothing in a key reaches the file system but the four numbers of its Hive partition.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from common.adapters.calls import error_code, our_errors
from common.domain.keys import LAKE_PREFIX
from common.domain.lake_schema import PARTITIONS
from eventstream.lake.pruning import Pruning
from eventstream.output import CommandError
from eventstream.progress import Progress

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PARALLEL_FETCHES = 8
_TRIES = 5
_KEY = re.compile(
    re.escape(LAKE_PREFIX) + r"year=(\d{4})/month=(\d{2})/day=(\d{2})/hour=(\d{2})/[^/]+\.parquet",
    re.ASCII,
)

ShowProgress = Callable[[int], AbstractContextManager[Progress]]
"""Shows the fetching of a number of objects."""


class LakeChangedError(CommandError):
    """An object that was listed is another one now, or gone."""

    def __init__(self) -> None:
        super().__init__("the lake changes faster than it can be read: try again")


@dataclass(frozen=True, slots=True)
class LakeObject:
    """One object of the lake, as it was listed."""

    key: str
    etag: str
    size: int

    @property
    def partition(self) -> dict[str, int]:
        """The Hive partition it lies in."""
        match = _KEY.fullmatch(self.key)
        numbers = match.groups() if match else ()
        return {name: int(text) for name, text in zip(PARTITIONS, numbers, strict=True)}

    @property
    def file(self) -> Path:
        """Where it lies in the cache."""
        *folders, _name = self.key.removeprefix(LAKE_PREFIX).split("/")
        digest = hashlib.sha256(f"{self.key}\n{self.etag}".encode()).hexdigest()[:40]
        return Path(*folders, f"{digest}.parquet")


class LakeCache:
    """Keeps copies of one bucket's lake objects in a folder."""

    def __init__(
        self, client: S3Client, bucket: str, folder: Path, show: ShowProgress | None = None
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._folder = folder
        self._show = show

    def files(self, pruning: Pruning) -> list[Path]:
        """Bring the partitions that a query needs up to date and return their files.

        Parameters
        ----------
        pruning
            Which partitions are needed; others are neither fetched nor returned.

        Returns
        -------
        list
            The copies of those partitions' objects, by key, under ``year=.../month=.../`` folders.

        Raises
        ------
        ThrottledError, StoreError
            The bucket does not answer.
        LakeChangedError
            Objects are replaced faster than they can be read.
        """
        for _ in range(_TRIES - 1):
            try:
                return self._files(pruning)
            except LakeChangedError:
                continue  # compaction has replaced the objects of an hour: list again
        return self._files(pruning)

    def partitions(self) -> list[dict[str, int]]:
        """List the Hive partitions that hold objects, oldest first; fetches nothing."""
        found = {tuple(each.partition.values()) for each in self._objects(LAKE_PREFIX)}
        return [dict(zip(PARTITIONS, numbers, strict=True)) for numbers in sorted(found)]

    def _files(self, pruning: Pruning) -> list[Path]:
        listed = (each for prefix in self._prefixes(pruning) for each in self._objects(prefix))
        objects = {
            self._folder / each.file: each for each in listed if pruning.needs(each.partition)
        }
        missing = [each for path, each in objects.items() if not path.is_file()]
        if missing:
            self._fetch_all(missing)
        self._drop(objects.keys(), pruning)
        return sorted(objects, key=lambda path: objects[path].key)

    def _prefixes(self, pruning: Pruning) -> list[str]:
        """Descend from years to hours as far as a condition tells them apart."""
        found: list[tuple[str, Mapping[str, int]]] = [(LAKE_PREFIX, {})]
        for level, column in enumerate(PARTITIONS):
            if not pruning.columns & set(PARTITIONS[level:]):
                break
            found = [
                (prefix, values)
                for parent, known in found
                for prefix, values in self._children(parent, column, known)
                if pruning.needs(values)
            ]
        return [prefix for prefix, _ in found]

    def _children(
        self, parent: str, column: str, known: Mapping[str, int]
    ) -> Iterator[tuple[str, Mapping[str, int]]]:
        for page in self._pages(parent, "/"):
            for each in page.get("CommonPrefixes", []):
                name, _, number = each["Prefix"].removeprefix(parent).rstrip("/").partition("=")
                if name == column and number.isascii() and number.isdigit():
                    yield each["Prefix"], {**known, column: int(number)}

    def _objects(self, prefix: str) -> Iterator[LakeObject]:
        for page in self._pages(prefix):
            for each in page.get("Contents", []):
                if _KEY.fullmatch(each["Key"]):
                    yield LakeObject(each["Key"], each["ETag"], each["Size"])

    def _pages(self, prefix: str, delimiter: str | None = None) -> Iterator[Mapping[str, Any]]:
        paginator = self._client.get_paginator("list_objects_v2")
        part: Any = {"Delimiter": delimiter} if delimiter else {}
        pages = iter(paginator.paginate(Bucket=self._bucket, Prefix=prefix, **part))
        while True:
            with our_errors("s3:ListBucket"):
                page = next(pages, None)
            if page is None:
                return
            yield page

    def _fetch_all(self, objects: Sequence[LakeObject]) -> None:
        with (
            self._show(len(objects)) if self._show else nullcontext() as progress,
            ThreadPoolExecutor(min(PARALLEL_FETCHES, len(objects))) as pool,
        ):
            for _ in pool.map(self._fetch, objects):
                if progress is not None:
                    progress.advance(1)

    def _fetch(self, wanted: LakeObject) -> None:
        with our_errors("s3:GetObject"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=wanted.key)
                body = answer["Body"].read()
            except ClientError as error:
                if error_code(error) in ("NoSuchKey", "404"):
                    raise LakeChangedError from error
                raise
        if answer["ETag"] != wanted.etag:
            raise LakeChangedError
        path = self._folder / wanted.file
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.write_bytes(body)
        beside.replace(path)

    def _drop(self, keep: Collection[Path], pruning: Pruning) -> None:
        """Delete the copies of objects that are gone, or another version by now."""
        for path in self._folder.glob("year=*/month=*/day=*/hour=*/*.parquet"):
            numbers = (part.partition("=")[2] for part in path.relative_to(self._folder).parts[:-1])
            values = {name: int(text) for name, text in zip(PARTITIONS, numbers, strict=True)}
            if path not in keep and pruning.needs(values):
                path.unlink(missing_ok=True)
