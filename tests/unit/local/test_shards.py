from datetime import UTC, datetime
from typing import Any

from eventstream.local.checkpoints import Position
from eventstream.local.records import Source
from eventstream.local.shards import READ_LIMIT, Shard, ShardReader, readable

SOURCE = Source("arn:aws:kinesis:us-east-1:000000000000:stream/s", "shard-0", "role", "us-east-1")
PARENT = Shard("parent", closed=True)
CHILD = Shard("child", parents=("parent",))


def ids(shards: list[Shard]) -> list[str]:
    return [shard.id for shard in shards]


class OneShard:
    """Kinesis with one shard; remembers the iterators it was asked for."""

    def __init__(self, count: int, *, closed: bool = False) -> None:
        self.sequences = [f"{number:056d}" for number in range(1, count + 1)]
        self.closed = closed
        self.asked: list[dict[str, Any]] = []

    def get_shard_iterator(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        after = request.get("StartingSequenceNumber", "")
        return {"ShardIterator": str(sum(each <= after for each in self.sequences))}

    def get_records(self, ShardIterator: str, Limit: int, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's names
        start = int(ShardIterator)
        found = self.sequences[start : start + Limit]
        more = start + len(found) < len(self.sequences)
        next_iterator = None if self.closed and not more else "next"
        return {
            "Records": [self.raw(sequence) for sequence in found],
            "NextShardIterator": next_iterator,
            "MillisBehindLatest": 5 if more else 0,
        }

    def raw(self, sequence: str) -> dict[str, Any]:
        return {
            "SequenceNumber": sequence,
            "PartitionKey": "1",
            "Data": b"{}",
            "ApproximateArrivalTimestamp": datetime(2026, 11, 20, 9, tzinfo=UTC),
        }


# "Resharding" in the Kinesis developer guide: records of a child are younger than its parents'.
def test_a_child_waits_until_its_closed_parent_is_wholly_processed() -> None:
    assert ids(readable([PARENT, CHILD], finished=set(), caught_up={"parent"})) == ["parent"]
    assert ids(readable([PARENT, CHILD], finished={"parent"}, caught_up=set())) == ["child"]


def test_a_child_of_two_merged_shards_waits_for_both() -> None:
    other = Shard("other", closed=True)
    merged = Shard("merged", parents=("parent", "other"))

    assert ids(readable([PARENT, other, merged], {"parent"}, set())) == ["other"]
    assert ids(readable([PARENT, other, merged], {"parent", "other"}, set())) == ["merged"]


def test_a_child_whose_parent_the_stream_has_forgotten_is_read() -> None:
    assert ids(readable([CHILD], set(), set())) == ["child"]


def test_a_child_of_a_parent_that_is_never_closed_waits_until_the_parent_is_caught_up() -> None:
    never_closed = Shard("parent")

    assert ids(readable([never_closed, CHILD], set(), set())) == ["parent"]
    assert ids(readable([never_closed, CHILD], set(), {"parent"})) == ["parent", "child"]


def test_a_reader_starts_at_its_position_and_goes_on_after_what_it_read() -> None:
    kinesis = OneShard(5)
    reader = ShardReader(kinesis, SOURCE, Position(sequence=f"{2:056d}"))

    first, second = reader.read(2), reader.read(2)

    assert [int(record.sequence) for record in first.records] == [3, 4]
    assert [int(record.sequence) for record in second.records] == [5]
    assert (first.caught_up, second.caught_up) == (False, True)


def test_every_read_asks_by_sequence_number_because_a_carried_iterator_may_skip() -> None:
    kinesis = OneShard(3)
    reader = ShardReader(kinesis, SOURCE, Position())

    reader.read(2)
    reader.read(2)

    kinds = [request["ShardIteratorType"] for request in kinesis.asked]
    assert kinds == ["TRIM_HORIZON", "AFTER_SEQUENCE_NUMBER"]


def test_a_reader_that_starts_at_a_time_asks_for_it() -> None:
    kinesis = OneShard(1)

    ShardReader(kinesis, SOURCE, Position(from_s=1234.5)).read(1)

    assert kinesis.asked[0]["ShardIteratorType"] == "AT_TIMESTAMP"
    assert kinesis.asked[0]["Timestamp"] == 1234.5


def test_a_closed_shard_ends_with_its_last_record_and_not_before() -> None:
    reader = ShardReader(OneShard(3, closed=True), SOURCE, Position())

    assert not reader.read(2).ended
    assert reader.read(2).ended


def test_a_read_is_bounded() -> None:
    reader = ShardReader(OneShard(READ_LIMIT + 5), SOURCE, Position())

    assert len(reader.read(10_000).records) == READ_LIMIT
