"""A whole mapping: threads, shards, checkpoints."""

import json
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from eventstream.local import mapping_poller
from eventstream.local.mapping_poller import MappingPoller, idle_s
from eventstream.local.mappings import StreamMapping
from fakes.waiting import wait_for
from unit.local.fake_kinesis import FakeKinesis

PATIENCE_S = 20.0


class Functions:
    """Lambda with one function that remembers its records."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.lock = threading.Lock()

    def get_function_configuration(self, **_: Any) -> dict[str, Any]:
        return {"Timeout": 3, "Role": "arn:role", "FunctionArn": "arn:function"}

    def invoke(self, **request: Any) -> dict[str, Any]:
        with self.lock:
            for record in json.loads(request["Payload"])["Records"]:
                shard = record["eventID"].split(":")[0]
                self.seen.append((shard, b64decode(record["kinesis"]["data"]).decode()))
        return {"Payload": BytesIO(b"null"), "ResponseMetadata": {"RequestId": "id"}}

    @property
    def data(self) -> list[str]:
        return [data for _, data in self.seen]


class Session:
    """Kinesis and Lambda are fakes; the checkpoints lie in moto's DynamoDB."""

    region_name = "us-east-1"

    def __init__(self, kinesis: FakeKinesis, functions: Functions) -> None:
        self.fakes = {"kinesis": kinesis, "lambda": functions}

    def client(self, service: str, config: Config | None = None) -> Any:
        return self.fakes.get(service) or boto3.client(service, "us-east-1", config=config)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping_poller, "DISCOVERY_S", 0.2)


@pytest.fixture
def kinesis() -> Iterator[FakeKinesis]:
    with mock_aws():
        yield FakeKinesis()


def a_mapping(**other: Any) -> StreamMapping:
    arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
    settings = {"starting_position": "TRIM_HORIZON", **other}
    return StreamMapping("id", "Mapping", arn, "function", **settings)


def eventually(condition: Callable[[], bool]) -> None:
    wait_for("what was waited for", condition, PATIENCE_S, every_s=0.02)


def a_poller(kinesis: FakeKinesis, functions: Functions, **mapping: Any) -> MappingPoller:
    session: Any = Session(kinesis, functions)
    return MappingPoller(session, "stack", a_mapping(**mapping))


def test_records_that_were_there_before_are_processed_from_the_oldest_on(
    kinesis: FakeKinesis,
) -> None:
    functions = Functions()
    kinesis.put("shard-0", "a")
    kinesis.put("shard-0", "b")
    poller = a_poller(kinesis, functions)

    poller.start()
    eventually(lambda: functions.data == ["a", "b"])
    poller.stop()


def test_a_restart_goes_on_after_the_checkpoint(kinesis: FakeKinesis) -> None:
    first, second = Functions(), Functions()
    kinesis.put("shard-0", "a")
    before = a_poller(kinesis, first)
    before.start()
    eventually(lambda: first.data == ["a"])
    before.stop()
    kinesis.put("shard-0", "b")

    after = a_poller(kinesis, second)
    after.start()
    eventually(lambda: second.data == ["b"])
    after.stop()


def test_with_latest_a_restart_before_the_first_batch_skips_nothing(
    kinesis: FakeKinesis,
) -> None:
    functions = Functions()
    kinesis.put("shard-0", "too early", arrived_at_s=time.time() - 10)
    before = a_poller(kinesis, Functions(), starting_position="LATEST")
    before.start()
    before.stop()
    kinesis.put("shard-0", "in between", arrived_at_s=time.time() + 1)

    after = a_poller(kinesis, functions, starting_position="LATEST")
    after.start()
    eventually(lambda: functions.data == ["in between"])
    after.stop()


# "Resharding a stream" in the Kinesis developer guide; Lambda reads parents before children.
def test_after_a_reshard_the_parent_is_finished_before_its_children_are_read(
    kinesis: FakeKinesis,
) -> None:
    functions = Functions()
    for number in range(20):
        kinesis.put("shard-0", f"old {number}")
    kinesis.split("shard-0", "shard-1", "shard-2")
    kinesis.put("shard-1", "new 1")
    kinesis.put("shard-2", "new 2")

    poller = a_poller(kinesis, functions, batch_size=1)
    poller.start()
    eventually(lambda: len(functions.data) == 22)
    poller.stop()

    assert functions.data[:20] == [f"old {number}" for number in range(20)]
    assert set(functions.data[20:]) == {"new 1", "new 2"}


def test_a_shard_that_was_finished_is_not_read_again_after_a_restart(
    kinesis: FakeKinesis,
) -> None:
    first, second = Functions(), Functions()
    kinesis.put("shard-0", "old")
    kinesis.split("shard-0", "shard-1")
    before = a_poller(kinesis, first)
    before.start()
    eventually(lambda: before.caught_up_since(1) and first.data == ["old"])
    before.stop()
    kinesis.put("shard-1", "new")

    after = a_poller(kinesis, second)
    after.start()
    eventually(lambda: second.data == ["new"])
    after.stop()


def test_a_shard_that_appears_later_is_read_from_its_first_record_even_with_latest(
    kinesis: FakeKinesis,
) -> None:
    functions = Functions()
    poller = a_poller(kinesis, functions, starting_position="LATEST")
    poller.start()
    kinesis.split("shard-0", "shard-1")
    kinesis.put("shard-1", "new", arrived_at_s=time.time() - 60)

    eventually(lambda: functions.data == ["new"])
    poller.stop()


def test_while_children_wait_for_their_parent_nothing_is_called_caught_up(
    kinesis: FakeKinesis,
) -> None:
    poller = a_poller(kinesis, Functions())
    poller._waiting = {"child": time.time() - 9}

    assert not poller.caught_up_since(0)
    assert (poller.lag_s() or 0) >= 9


def test_the_pause_follows_the_window_within_bounds() -> None:
    assert [idle_s(window) for window in (0, 2, 10, 300)] == [0.2, 0.4, 1.0, 1.0]
