"""Which events travel together: a user's bucket, its place in the key range, and packs.

A bucket is finer than a shard: its records all carry one explicit hash key, so a user's events
meet in one shard however many shards there are, and buckets spread evenly over the shards.
Events of one bucket are packed, because the stream charges by 25 KB of record and takes a
thousand records a second and shard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zlib import crc32

MAX_PACK_BYTES = 25_000
"""A pack stays within one PUT payload unit, which is 25 KB."""

_KEY_RANGE = 2**128


@dataclass(frozen=True, slots=True)
class Pack:
    """One record to be: lines of one bucket, joined by line feeds, and which events they are."""

    bucket: int
    data: bytes
    members: tuple[int, ...]
    """Positions of the lines in what was packed, in order."""


def bucket_of(identity: str, buckets: int) -> int:
    """Return the bucket of a user, visitor or event.

    The checksum is the same in every process and release: events of one user keep their bucket.

    >>> bucket_of("user-1", 64)
    20
    """
    return crc32(identity.encode()) % buckets


def explicit_hash_key(bucket: int, buckets: int) -> str:
    """Return the middle of a bucket's share of the stream's key range ``[0, 2**128)``.

    >>> explicit_hash_key(0, 2) == str(2**126)
    True
    """
    return str((2 * bucket + 1) * _KEY_RANGE // (2 * buckets))


def pack(lines: Iterable[tuple[int, bytes]], most_bytes: int = MAX_PACK_BYTES) -> Sequence[Pack]:
    r"""Put lines of the same bucket together, in the order they came.

    Parameters
    ----------
    lines
        Bucket and line of each event; no line holds a line feed.
    most_bytes
        Size of a pack that is not passed, unless one line alone passes it: it goes alone.

    Returns
    -------
    Sequence[Pack]
        Every line is in exactly one pack. The packs of a bucket, read one after another, give
        its lines in order.

    Examples
    --------
    >>> [(each.bucket, each.data) for each in pack([(0, b"a"), (1, b"b"), (0, b"c")])]
    [(0, b'a\nc'), (1, b'b')]
    """
    full: list[Pack] = []
    filling: dict[int, _Filling] = {}
    for position, (bucket, line) in enumerate(lines):
        current = filling.get(bucket)
        if current is not None and current.size + 1 + len(line) > most_bytes:
            full.append(current.seal(bucket))
            current = None
        if current is None:
            current = filling[bucket] = _Filling([], [], -1)
        current.add(position, line)
    return [*full, *(current.seal(bucket) for bucket, current in filling.items())]


@dataclass(slots=True)
class _Filling:
    lines: list[bytes]
    members: list[int]
    size: int
    """Bytes with the line feeds between; -1 while empty, as the first line has none before it."""

    def add(self, position: int, line: bytes) -> None:
        self.lines.append(line)
        self.members.append(position)
        self.size += 1 + len(line)

    def seal(self, bucket: int) -> Pack:
        return Pack(bucket, b"\n".join(self.lines), tuple(self.members))
