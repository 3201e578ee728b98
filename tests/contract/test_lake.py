"""The lake in memory and in S3 behave alike."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from moto import mock_aws

from common.adapters.calls import CLIENT_CONFIG
from common.adapters.lake import S3Lake
from common.domain.bad_lines import BadLine
from common.domain.decode import decode_batch
from common.errors import StoreError, ThrottledError
from common.ports.lake import Lake, LakeObject
from fakes.aws_answers import Answer, answer_with, skip_waits
from fakes.lake import MemoryLake
from fakes.process_builders import a_line, a_record

BUCKET = "lake"


class Stored:
    """A lake and what lies in it."""

    def __init__(self, lake: Lake, client: Any = None) -> None:
        self.lake = lake
        self._client = client

    def event_ids(self, key: str) -> list[str]:
        if isinstance(self.lake, MemoryLake):
            return [line.event.event_id for line in self.lake.objects[key]]
        return [row["event_id"] for row in pq.read_table(io.BytesIO(self._get(key))).to_pylist()]

    def quarantined(self, key: str) -> dict[str, Any]:
        lake = self.lake
        return dict(
            json.loads(lake.quarantined[key] if isinstance(lake, MemoryLake) else self._get(key))
        )

    def keys(self) -> set[str]:
        if isinstance(self.lake, MemoryLake):
            return {*self.lake.objects, *self.lake.quarantined}
        return {one["Key"] for one in self._client.list_objects_v2(Bucket=BUCKET)["Contents"]}

    def _get(self, key: str) -> bytes:
        return bytes(self._client.get_object(Bucket=BUCKET, Key=key)["Body"].read())


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1", config=CLIENT_CONFIG)
        s3.create_bucket(Bucket=BUCKET)
        yield s3


@pytest.fixture(params=["memory", "s3"])
def stored(request: pytest.FixtureRequest) -> Stored:
    if request.param == "memory":
        return Stored(MemoryLake())
    client = request.getfixturevalue("client")
    return Stored(S3Lake(client, BUCKET), client)


def an_object(key: str, *event_ids: str) -> LakeObject:
    return LakeObject(key, tuple(a_line(event_id=event_id) for event_id in event_ids))


def bad_lines(count: int) -> tuple[BadLine, ...]:
    return decode_batch([a_record(*[b"poison"] * count)]).bad


def test_objects_are_kept_under_their_keys_with_their_rows_in_order(stored: Stored) -> None:
    stored.lake.put_events([an_object("a", "2", "1"), an_object("b", "3")])

    assert stored.event_ids("a") == ["2", "1"]
    assert stored.event_ids("b") == ["3"]


def test_an_object_that_is_there_is_left_alone_and_counts_as_written(stored: Stored) -> None:
    stored.lake.put_events([an_object("a", "1")])

    stored.lake.put_events([an_object("a", "other"), an_object("b", "2")])

    assert stored.event_ids("a") == ["1"]
    assert stored.event_ids("b") == ["2"]


def test_many_objects_are_all_there_afterwards(stored: Stored) -> None:
    keys = {f"hour-{number}" for number in range(40)}

    stored.lake.put_events([an_object(key, key) for key in sorted(keys)])

    assert stored.keys() == keys


def test_nothing_to_write_is_no_error(stored: Stored) -> None:
    stored.lake.put_events([])
    stored.lake.put_quarantine([])


def test_bad_lines_are_kept_one_by_one_however_often_they_come(stored: Stored) -> None:
    bad = bad_lines(3)

    for _ in range(2):
        stored.lake.put_quarantine(bad)

    at = bad[0].position
    keys = {f"quarantine/events/{at.shard}/{at.sequence}-{line}.json" for line in range(3)}
    assert stored.keys() == keys
    assert {stored.quarantined(key)["line"] for key in keys} == {0, 1, 2}


def test_a_record_of_many_bad_lines_is_one_object_however_often_it_comes(stored: Stored) -> None:
    bad = bad_lines(5000)

    for _ in range(2):
        stored.lake.put_quarantine(bad)

    [whole] = bad
    key = f"quarantine/events/{whole.position.shard}/{whole.position.sequence}-0.json"
    assert stored.keys() == {key}
    assert stored.quarantined(key)["bad_ranges"] == [[0, 4999]]


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        pytest.param([(503, "SlowDown")] * 3, ThrottledError, id="slow down"),
        pytest.param([(409, "ConditionalRequestConflict")] * 3, ThrottledError, id="races lost"),
        pytest.param([(403, "AccessDenied")], StoreError, id="denied"),
        pytest.param([(500, "InternalError")] * 3, StoreError, id="internal error"),
        pytest.param([ReadTimeoutError(endpoint_url="x")] * 3, StoreError, id="no answer"),
        pytest.param([EndpointConnectionError(endpoint_url="x")] * 3, StoreError, id="no network"),
    ],
)
def test_s3s_errors_become_ours_and_do_not_quote_the_request(
    client: Any, answers: list[Answer], error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_waits(monkeypatch)
    answer_with(client, *answers)

    with pytest.raises(error, match="s3:PutObject") as raised:
        S3Lake(client, BUCKET).put_quarantine(bad_lines(1))

    assert type(raised.value) is error
    assert "user-42" not in str(raised.value)


def test_a_race_for_one_key_is_run_again(client: Any) -> None:
    asked = answer_with(client, (409, "ConditionalRequestConflict"))

    S3Lake(client, BUCKET).put_events([an_object("a", "1")])

    assert asked == ["PutObject", "PutObject"]


def test_an_answer_that_got_lost_is_made_up_for_by_the_sdk(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_waits(monkeypatch)
    asked = answer_with(client, ReadTimeoutError(endpoint_url="x"))

    S3Lake(client, BUCKET).put_events([an_object("a", "1")])

    assert asked == ["PutObject", "PutObject"]


def test_one_failure_among_many_objects_is_raised(client: Any) -> None:
    answer_with(client, (403, "AccessDenied"))

    with pytest.raises(StoreError):
        S3Lake(client, BUCKET).put_events([an_object(str(key), "1") for key in range(20)])


def test_the_same_rows_are_the_same_bytes(client: Any) -> None:
    lake = S3Lake(client, BUCKET)
    lake.put_events([an_object("a", "1", "2"), an_object("b", "1", "2")])

    tags = {client.head_object(Bucket=BUCKET, Key=key)["ETag"] for key in ("a", "b")}
    assert len(tags) == 1
