"""The rules of "Batching behavior" in the Lambda developer guide."""

from eventstream.local.buffer import Buffer
from eventstream.local.records import MAX_PAYLOAD_BYTES, fitting, payload
from unit.local.streams import a_record, numbers, records


def test_a_full_batch_is_sent_at_once() -> None:
    buffer = Buffer(batch_size=3, window_s=300)
    buffer.add(records(1, 2, 3, 4), now_s=0)

    batch = buffer.take(now_s=0)

    assert batch is not None
    assert numbers(batch) == [1, 2, 3]
    assert len(buffer) == 1


def test_a_batch_that_is_not_full_waits_for_the_window_of_its_first_record() -> None:
    buffer = Buffer(batch_size=3, window_s=10)
    buffer.add(records(1), now_s=0)
    buffer.add(records(2), now_s=9)

    assert buffer.take(now_s=9.9) is None
    assert buffer.ripe_in_s(9.0) == 1.0
    batch = buffer.take(now_s=10)

    assert batch is not None
    assert numbers(batch) == [1, 2]


def test_without_a_window_a_record_is_sent_at_once() -> None:
    buffer = Buffer(batch_size=100, window_s=0)
    buffer.add(records(1), now_s=5)

    assert buffer.take(now_s=5) is not None


def test_the_records_of_a_closed_shard_do_not_wait() -> None:
    buffer = Buffer(batch_size=100, window_s=300)
    buffer.add(records(1), now_s=0)

    assert buffer.take(now_s=0) is None
    assert buffer.take(now_s=0, at_once=True) is not None


def test_a_batch_is_sent_when_its_payload_reaches_6_mb() -> None:
    megabyte = 1024 * 1024
    buffer = Buffer(batch_size=100, window_s=300)
    buffer.add([a_record(number, size_bytes=megabyte) for number in range(8)], now_s=0)

    batch = buffer.take(now_s=0)

    assert batch is not None
    assert numbers(batch) == [0, 1, 2, 3, 4]
    assert len(payload(batch.records)) <= MAX_PAYLOAD_BYTES
    assert len(buffer) == 3


def test_a_record_that_is_too_large_goes_alone() -> None:
    large = a_record(1, size_bytes=MAX_PAYLOAD_BYTES + 1)

    assert fitting([large, a_record(2)]) == 1
    assert fitting([a_record(2), large]) == 1


def test_an_empty_buffer_gives_no_batch() -> None:
    buffer = Buffer(batch_size=1, window_s=0)

    assert buffer.take(now_s=0, at_once=True) is None
    assert buffer.oldest_arrival_s is None
