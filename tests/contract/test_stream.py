from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.stub import ANY, Stubber
from moto import mock_aws
from moto.core.botocore_stubber import MockRawResponse

from common.adapters.kinesis import CLIENT_CONFIG, KinesisSink
from common.domain.partitions import explicit_hash_key
from common.errors import StoreError, ThrottledError
from common.ports.stream import MAX_BYTES_PER_CALL, EventSink, StreamRecord
from fakes.stream import MemorySink

SHARDS = 2
KEYS: dict[str, Any] = {
    "region_name": "eu-central-1",
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
}

Reader = Callable[[], Sequence[bytes]]


def stored_in(client: Any) -> Sequence[bytes]:
    """Return what the stream holds, shard after shard."""
    found: list[bytes] = []
    for shard in client.list_shards(StreamName="s")["Shards"]:
        iterator = client.get_shard_iterator(
            StreamName="s", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        found += [r["Data"] for r in client.get_records(ShardIterator=iterator)["Records"]]
    return found


@pytest.fixture(params=["memory", "kinesis"])
def stream(request: pytest.FixtureRequest) -> Iterator[tuple[EventSink, Reader]]:
    if request.param == "memory":
        sink = MemorySink()
        yield sink, lambda: [record.data for record in sink.stored]
        return
    with mock_aws():
        client = boto3.client("kinesis", config=CLIENT_CONFIG, **KEYS)
        client.create_stream(StreamName="s", ShardCount=SHARDS)
        yield KinesisSink(client, "s"), lambda: stored_in(client)


def a_record(data: bytes, bucket: int = 0) -> StreamRecord:
    return StreamRecord(data, str(bucket), explicit_hash_key(bucket, 4))


def test_acknowledges_each_record_it_keeps(stream: tuple[EventSink, Reader]) -> None:
    sink, stored = stream
    records = [a_record(b"line %d\nline" % n, n % 4) for n in range(8)]

    assert sink.put(records) == [None] * 8
    assert sorted(stored()) == sorted(record.data for record in records)


def test_takes_500_records_at_once_and_not_one_more(stream: tuple[EventSink, Reader]) -> None:
    sink, stored = stream

    assert sink.put([a_record(b"x")] * 500) == [None] * 500
    with pytest.raises(StoreError):
        sink.put([a_record(b"x")] * 501)
    assert len(stored()) == 500


def test_takes_5_mb_at_once_and_refuses_much_more(stream: tuple[EventSink, Reader]) -> None:
    sink, stored = stream
    fifth = a_record(b"x" * (MAX_BYTES_PER_CALL // 10 - 1))

    assert sink.put([fifth] * 10) == [None] * 10
    with pytest.raises(StoreError):
        sink.put([fifth] * 11)
    assert len(stored()) == 10


def test_records_of_a_bucket_stay_in_order(stream: tuple[EventSink, Reader]) -> None:
    sink, stored = stream

    for n in range(3):
        sink.put([a_record(b"%d" % (2 * n)), a_record(b"%d" % (2 * n + 1))])

    assert stored() == [b"0", b"1", b"2", b"3", b"4", b"5"]


def test_the_explicit_hash_key_decides_the_shard() -> None:
    with mock_aws():
        client = boto3.client("kinesis", **KEYS)
        client.create_stream(StreamName="s", ShardCount=SHARDS)
        KinesisSink(client, "s").put([a_record(b"%d" % bucket, bucket) for bucket in range(4)])

        assert stored_in(client) == [b"0", b"1", b"2", b"3"]


def test_a_stream_that_is_not_there_is_a_store_error_that_names_the_code() -> None:
    with mock_aws():
        sink = KinesisSink(boto3.client("kinesis", **KEYS), "nowhere")

        with pytest.raises(StoreError, match="ResourceNotFoundException"):
            sink.put([a_record(b"x")])


def test_an_endpoint_that_is_not_reached_is_a_store_error_after_one_attempt() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        client = boto3.client("kinesis", endpoint_url=url, config=CLIENT_CONFIG, **KEYS)
        attempts: list[str] = []
        client.meta.events.register("before-send", lambda **_: attempts.append("sent"))

        with pytest.raises(StoreError, match="EndpointConnectionError"):
            KinesisSink(client, "s").put([a_record(b"x")])

    assert len(attempts) == 1


def answering(response: dict[str, Any]) -> KinesisSink:
    client = boto3.client("kinesis", **KEYS)
    stub = Stubber(client)
    stub.add_response("put_records", response, {"StreamName": "s", "Records": ANY})
    stub.activate()
    return KinesisSink(client, "s")


def test_reads_the_result_of_every_record() -> None:
    sink = answering(
        {
            "FailedRecordCount": 3,
            "Records": [
                {"SequenceNumber": "1", "ShardId": "shardId-000000000000"},
                {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slow"},
                {"ErrorCode": "InternalFailure", "ErrorMessage": "broken"},
                {},
            ],
        }
    )

    assert sink.put([a_record(b"x")] * 4) == [None, "throttled", "store_failed", "store_failed"]


def test_believes_the_results_where_no_count_says_that_one_failed() -> None:
    sink = answering({"Records": [{"ErrorCode": "InternalFailure"}]})

    assert sink.put([a_record(b"x")]) == ["store_failed"]


def test_results_for_another_number_of_records_acknowledge_nothing() -> None:
    sink = answering({"Records": [{"SequenceNumber": "1", "ShardId": "s"}]})

    with pytest.raises(StoreError, match="another number"):
        sink.put([a_record(b"x")] * 2)


@pytest.mark.parametrize("status", [200, 400, 502])
@pytest.mark.parametrize(
    "body",
    [
        b"<html>user-42</html>",
        b"\xff\xfe",
        b"[]",
        b"3",
        b"null",
        b"",
        b'{"Records":null}',
        b'{"Records":{}}',
        b'{"Records":[1]}',
    ],
)
def test_an_answer_that_is_not_kinesiss_is_a_store_error(status: int, body: bytes) -> None:
    client = boto3.client("kinesis", config=CLIENT_CONFIG, **KEYS)
    client.meta.events.register("before-send", lambda request, **_: raw(request, status, body))

    with pytest.raises(StoreError) as raised:
        KinesisSink(client, "s").put([a_record(b"x")])

    assert "user-42" not in raised.value.message


def test_a_record_without_a_result_is_not_acknowledged() -> None:
    client = boto3.client("kinesis", config=CLIENT_CONFIG, **KEYS)
    client.meta.events.register(
        "before-send", lambda request, **_: raw(request, 200, b'{"Records":[null]}')
    )

    assert KinesisSink(client, "s").put([a_record(b"x")]) == ["store_failed"]


def raw(request: Any, status: int, body: bytes) -> AWSResponse:
    return AWSResponse(request.url, status, {}, MockRawResponse(body))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ProvisionedThroughputExceededException", ThrottledError),
        ("LimitExceededException", ThrottledError),
        ("ThrottlingException", ThrottledError),
        ("KMSThrottlingException", ThrottledError),
        ("AccessDeniedException", StoreError),
        ("InternalFailure", StoreError),
    ],
)
def test_a_refused_call_is_one_of_our_errors(code: str, error: type[Exception]) -> None:
    client = boto3.client("kinesis", **KEYS)
    stub = Stubber(client)
    stub.add_client_error("put_records", code)

    with stub, pytest.raises(error):
        KinesisSink(client, "s").put([a_record(b"x")])
