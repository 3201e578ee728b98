"""Objects that wait for a replay, in their bucket, and where they go once they are replayed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from common.adapters.calls import PARALLEL_CALLS, error_code
from eventstream.output import CommandError
from eventstream.replay.kept import Listed, UnreadableObjectError

REPLAYED = "replayed/"
"""Before the key of an object whose every line is on the stream again."""
_AT_ONCE = 64
_BYTES_AT_ONCE = 32_000_000
"""Of what is read ahead: a given-up batch may have 6 MB."""


class ObjectNotFoundError(CommandError):
    """There is no such object, or more than one."""


class WaitingObjects:
    """The objects of one prefix of a bucket.

    Parameters
    ----------
    client
        An S3 client.
    prefix
        Where they lie.
    read
        Reads an object; raises :class:`UnreadableObjectError`.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - boto3's S3 client, or a test's
        bucket: str,
        prefix: str,
        read: Callable[[Listed, bytes], Any],
    ) -> None:
        self.client = client
        self.bucket = bucket
        self._prefix = prefix
        self._read = read

    def listed(self) -> list[Listed]:
        """Return all of them, the newest first."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self._prefix
        )
        found = [
            Listed(one["Key"], int(one["Size"]), one["LastModified"])
            for page in pages
            for one in page.get("Contents", ())
        ]
        return sorted(found, key=lambda one: (one.written_at, one.key), reverse=True)

    def read(self, listed: Iterable[Listed]) -> Iterator[Any]:
        """Read objects, several at a time, in their order; those that are gone are left out.

        What can't be read comes as the :class:`UnreadableObjectError` that says so.
        """
        with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
            for some in _portions(listed):
                yield from (one for one in pool.map(self._read_one, some) if one is not None)

    def read_for_replay(self, listed: Iterable[Listed]) -> Iterator[tuple[Any, bool]]:
        """Read objects likewise, and say of each whether it was replayed before."""
        with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
            for some in _portions(listed):
                before = pool.map(lambda one: self.was_replayed(one.key), some)
                found = zip(pool.map(self._read_one, some), before, strict=True)
                yield from ((one, again) for one, again in found if one is not None)

    def _read_one(self, listed: Listed) -> Any:  # noqa: ANN401 - what the reader makes of it
        body = self._body(listed.key)
        if body is None:
            return None
        try:
            return self._read(listed, body)
        except UnreadableObjectError as error:
            return error

    def one(self, named: str) -> Any:  # noqa: ANN401 - as above
        """Read the object of a key, or of the end of a key.

        Raises
        ------
        ObjectNotFoundError
            None has that name, or several have.
        UnreadableObjectError
            It can't be read.
        """
        found = self.named([named])[0]
        read = next(self.read([found]), None)
        if read is None:
            raise ObjectNotFoundError(f"{named} was taken away just now")
        if isinstance(read, UnreadableObjectError):
            raise read
        return read

    def named(self, names: Sequence[str]) -> list[Listed]:
        """Find objects by their keys or the ends of them.

        Raises
        ------
        ObjectNotFoundError
            A name is that of none, or of several.
        """
        every = self.listed()
        return [self._named(name, every) for name in names]

    def _named(self, name: str, every: Sequence[Listed]) -> Listed:
        found = [one for one in every if _answers_to(one.key, name)]
        if len(found) == 1:
            return found[0]
        if found:
            raise ObjectNotFoundError(f"{name} names {len(found)} objects: give the whole key")
        raise ObjectNotFoundError(f"there is no object {name} under {self._prefix}")

    def was_replayed(self, key: str) -> bool:
        """Say whether an object of this key, which is one line of the stream, was replayed."""
        return self._exists(REPLAYED + key)

    def replayed_lines(self, key: str) -> frozenset[int]:
        """Return the lines of an object that are on the stream again while others are not."""
        body = self._body(_lines_key(key))
        return frozenset(json.loads(body)["lines"]) if body else frozenset()

    def note_lines(self, key: str, lines: Iterable[int]) -> None:
        """Keep which lines of an object are on the stream again."""
        every = sorted(self.replayed_lines(key).union(lines))
        self.client.put_object(
            Bucket=self.bucket,
            Key=_lines_key(key),
            Body=json.dumps({"lines": every}).encode(),
            ContentType="application/json",
        )

    def settle(self, key: str) -> None:
        """Move an object to where the replayed ones are; one that is gone is settled."""
        try:
            self.client.copy_object(
                Bucket=self.bucket,
                Key=REPLAYED + key,
                CopySource={"Bucket": self.bucket, "Key": key},
            )
        except ClientError as error:
            if error_code(error) not in ("NoSuchKey", "404"):
                raise
        self.drop(key)

    def drop(self, key: str) -> None:
        """Delete an object; its versions stay for as long as the bucket keeps them."""
        self.client.delete_object(Bucket=self.bucket, Key=key)

    def _exists(self, key: str) -> bool:
        try:
            self.client.head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error_code(error) not in ("NoSuchKey", "404", "NotFound"):
                raise
            return False
        return True

    def _body(self, key: str) -> bytes | None:
        try:
            body: bytes = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error_code(error) not in ("NoSuchKey", "404"):
                raise
            return None
        return body


def _portions(listed: Iterable[Listed]) -> Iterator[list[Listed]]:
    some: list[Listed] = []
    for one in listed:
        if some and sum(each.size for each in (*some, one)) > _BYTES_AT_ONCE:
            yield some
            some = []
        some.append(one)
        if len(some) == _AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _answers_to(key: str, name: str) -> bool:
    name = name.removesuffix(".json")
    key = key.removesuffix(".json")
    return key == name or key.endswith((f"/{name}", f"-{name}"))


def _lines_key(key: str) -> str:
    return f"{REPLAYED}{key.removesuffix('.json')}.lines.json"
