"""The shards of a stream: which there are, which may be read now, and reading one."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from eventstream.local.checkpoints import Position
from eventstream.local.records import Record, Source

READ_LIMIT = 1000
"""Most records of one read: the emulator doesn't cap a reply at 10 MB, as Kinesis does."""


@dataclass(frozen=True)
class Shard:
    """A shard as the stream lists it.

    Attributes
    ----------
    closed
        Whether a reshard ended it: nothing will be added any more.
    """

    id: str
    parents: tuple[str, ...] = ()
    closed: bool = False


def list_shards(kinesis: Any, stream_arn: str) -> list[Shard]:  # noqa: ANN401
    """Return the shards of a stream that still hold something, or may."""
    pages = kinesis.get_paginator("list_shards").paginate(StreamARN=stream_arn)
    return [_shard(raw) for page in pages for raw in page["Shards"]]


def _shard(raw: dict[str, Any]) -> Shard:
    parents = (raw.get("ParentShardId"), raw.get("AdjacentParentShardId"))
    return Shard(
        id=raw["ShardId"],
        parents=tuple(parent for parent in parents if parent),
        closed="EndingSequenceNumber" in raw["SequenceNumberRange"],
    )


def readable(
    shards: Iterable[Shard],
    finished: Collection[str],
    caught_up: Collection[str],
    at_work: Collection[str] = (),
) -> list[Shard]:
    """Return the shards whose turn it is.

    A record of a child is younger than every record of its parents with the same key, so a child
    waits for them ("Using the AWS Lambda service" in the Kinesis developer guide: "processes the
    parent shards before the child shards").

    Parameters
    ----------
    shards
        All that the stream lists.
    finished
        Shards that are closed and of which everything is done.
    caught_up
        Shards of which everything that is in them is done. An emulator may never close a parent;
        then this is as much as can be known of it.
    at_work
        Shards that are being read. One that the stream doesn't list any more may still have
        records with the function.
    """
    every = list(shards)
    open_parents = set(at_work) - {shard.id for shard in every}
    open_parents |= {
        shard.id
        for shard in every
        if shard.id not in finished and (shard.closed or shard.id not in caught_up)
    }
    return [
        shard
        for shard in every
        if shard.id not in finished and not open_parents.intersection(shard.parents)
    ]


@dataclass(frozen=True)
class Read:
    """What one read brought.

    Attributes
    ----------
    caught_up
        Whether nothing more is in the shard now.
    ended
        Whether nothing more will ever be: the shard is closed and read to its end.
    """

    records: tuple[Record, ...]
    caught_up: bool
    ended: bool


class ShardReader:
    """Reads a shard from a position on.

    Every read asks for an iterator after the last sequence number. An iterator that is carried
    on is a position in a list for the emulator, and skips records once old ones have expired.

    Parameters
    ----------
    kinesis
        Kinesis client.
    source
        The stream and the shard.
    position
        Where to start.
    """

    def __init__(self, kinesis: Any, source: Source, position: Position) -> None:  # noqa: ANN401
        self._kinesis = kinesis
        self._source = source
        self._position = position

    def read(self, limit: int) -> Read:
        """Return the next records, at most so many."""
        reply = self._kinesis.get_records(
            StreamARN=self._source.stream_arn,
            ShardIterator=self._iterator(),
            Limit=max(1, min(limit, READ_LIMIT)),
        )
        records = tuple(self._source.record(raw) for raw in reply["Records"])
        if records:
            self._position = Position(sequence=records[-1].sequence)
        return Read(
            records=records,
            caught_up=reply.get("MillisBehindLatest", 0) == 0,
            ended=reply.get("NextShardIterator") is None,
        )

    def _iterator(self) -> str:
        start: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if self._position.sequence is not None:
            start = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": self._position.sequence,
            }
        elif self._position.from_s is not None:
            start = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": self._position.from_s}
        iterator: str = self._kinesis.get_shard_iterator(
            StreamARN=self._source.stream_arn, ShardId=self._source.shard_id, **start
        )["ShardIterator"]
        return iterator
