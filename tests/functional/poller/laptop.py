"""An event source mapping as a template spells it, run by the local poller on fakes.

`Lane` runs one shard in virtual time: waiting takes none. `Running` runs a whole mapping with its
threads. Both go through the poller's own wiring, from the mapping's properties to the checkpoint.
"""

from __future__ import annotations

import json
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from eventstream.local import mapping_poller, mappings
from eventstream.local.mapping_poller import MappingPoller
from fakes.kinesis_stream import KinesisStream
from fakes.waiting import wait_for

STREAM_ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/events"
BUCKET = "failures"
DEFAULTS = {
    "EventSourceArn": STREAM_ARN,
    "FunctionName": "process",
    "StartingPosition": "TRIM_HORIZON",
    "DestinationConfig": {"OnFailure": {"Destination": f"arn:aws:s3:::{BUCKET}"}},
}
PARTIAL = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
PATIENCE_S = 30.0

Records = Sequence[Mapping[str, Any]]
Handler = Callable[[Records], Any]
"""Gets the records of an event; what it returns is the answer, what it raises the error."""


def data_of(record: Mapping[str, Any]) -> str:
    return b64decode(record["kinesis"]["data"]).decode()


def sequence_of(record: Mapping[str, Any]) -> str:
    return str(record["kinesis"]["sequenceNumber"])


def report(*identifiers: Any) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": each} for each in identifiers]}


def throttled() -> ClientError:
    """Return what Lambda raises when it has no room for one more call."""
    error = {"Error": {"Code": "TooManyRequestsException", "Message": "Rate Exceeded."}}
    return ClientError(error, "Invoke")


@dataclass
class FakeLambda:
    """Lambda's ``Invoke``, with one function."""

    handler: Handler
    calls: list[list[str]] = field(default_factory=list)
    payload_bytes: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get_function_configuration(self, **_: Any) -> dict[str, Any]:
        return {"Timeout": 3, "Role": "arn:role", "FunctionArn": "arn:function"}

    def invoke(self, Payload: bytes, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's names
        records = json.loads(Payload)["Records"]
        with self.lock:
            self.calls.append([data_of(record) for record in records])
            self.payload_bytes.append(len(Payload))
        reply: dict[str, Any] = {"ResponseMetadata": {"RequestId": "request-1"}}
        try:
            answer = self.handler(records)
        except ClientError:
            raise
        except Exception as error:
            body = {"errorType": type(error).__name__, "errorMessage": str(error)}
            return {**reply, "FunctionError": "Unhandled", "Payload": _stream(body)}
        return {**reply, "Payload": _stream(answer)}


def _stream(value: Any) -> BytesIO:
    return BytesIO(json.dumps(value).encode())


class FakeS3:
    """The failure bucket."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}

    def put_object(self, Bucket: str, Key: str, Body: bytes, **_: Any) -> None:  # noqa: N803
        assert Bucket == BUCKET
        self.objects[Key] = json.loads(Body)


class FakeDynamo:
    """The table of checkpoints; it outlives the poller."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.history: list[tuple[str, str | None]] = []

    def create_table(self, **_: Any) -> None:
        """Be there already."""

    def put_item(self, Item: dict[str, Any], **_: Any) -> None:  # noqa: N803
        shard = Item["sk"]["S"]
        self.items[shard] = Item
        self.history.append((shard, Item.get("sequence", {}).get("S")))

    def get_paginator(self, _operation: str) -> FakeDynamo:
        return self

    def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
        yield {"Items": list(self.items.values())}


@dataclass
class Session:
    """Hands out the fakes as clients."""

    stream: KinesisStream
    function: FakeLambda
    s3: FakeS3 = field(default_factory=FakeS3)
    dynamodb: FakeDynamo = field(default_factory=FakeDynamo)
    region_name: str = "us-east-1"

    def client(self, service: str, **_: Any) -> Any:
        return {
            "kinesis": self.stream,
            "lambda": self.function,
            "s3": self.s3,
            "dynamodb": self.dynamodb,
        }[service]


def a_poller(session: Session, properties: Mapping[str, Any]) -> MappingPoller:
    """Check, read and take up a mapping as the local runtime does."""
    settings = {**DEFAULTS, **properties}
    mappings.check("Mapping", settings)
    anything: Any = session
    return MappingPoller(anything, "stack", mappings.parse("stack", "Mapping", settings))


class _VirtualStop(threading.Event):
    """A stop event whose waits move a clock on; it is set when a test has seen enough."""

    def __init__(self, lane: Lane) -> None:
        super().__init__()
        self._lane = lane

    def wait(self, timeout: float | None = None) -> bool:
        self._lane.now_s += timeout or 0
        self._lane.look()
        return self.is_set()


class Lane:
    """The first shard of a mapping, in virtual time.

    Parameters
    ----------
    handler
        The function.
    properties
        The mapping's, beside `DEFAULTS`.
    """

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, handler: Handler, **properties: Any
    ) -> None:
        self.now_s = 1_795_166_000.0
        self.stream = KinesisStream(now_s=lambda: self.now_s)
        self.function = FakeLambda(handler)
        self.session = Session(self.stream, self.function)
        monkeypatch.setattr(mapping_poller, "time", SimpleNamespace(time=lambda: self.now_s))
        self.poller = a_poller(self.session, properties)
        self._stop = _VirtualStop(self)
        self.poller._stop = self._stop
        self._enough: Callable[[], bool] = lambda: False
        self._deadline_s = 0.0

    def put(self, *data: str, age_s: float = 0.0) -> list[str]:
        """Put records; return their sequence numbers."""
        shard = self.stream.open()[0]
        return [self.stream.put_to(shard, each, self.now_s - age_s) for each in data]

    def run(self, *, seconds: float = 3600.0, until: Callable[[], bool] | None = None) -> None:
        """Run until a condition holds; without one, for so long."""
        self._enough, self._deadline_s = until or (lambda: False), self.now_s + seconds
        shard = next(iter(self.stream.shards))
        worker = self.poller._worker(shard, self.poller._first_position())
        worker.run()
        if until is not None:
            assert until(), f"not within {seconds} s: {self.function.calls}"

    def look(self) -> None:
        """Stop when the test has seen enough; asked at every wait."""
        if self._enough() or self.now_s > self._deadline_s:
            self._stop.set()

    @property
    def calls(self) -> list[list[str]]:
        return self.function.calls

    @property
    def failures(self) -> list[dict[str, Any]]:
        return list(self.session.s3.objects.values())

    @property
    def discarded(self) -> list[list[str]]:
        """What the failure bucket holds, batch by batch."""
        return [
            [data_of(record) for record in json.loads(each["payload"])["Records"]]
            for each in self.failures
        ]

    @property
    def checkpoints(self) -> list[str | None]:
        return [sequence for _, sequence in self.session.dynamodb.history]


def eventually(condition: Callable[[], object]) -> None:
    wait_for("what was waited for", condition, PATIENCE_S, every_s=0.01)


class Running:
    """A mapping with its threads, which may be stopped and started again on the same stores."""

    def __init__(
        self, handler: Handler, stream: KinesisStream | None = None, **properties: Any
    ) -> None:
        self.stream = stream or KinesisStream()
        self.function = FakeLambda(handler)
        self.session = Session(self.stream, self.function)
        self.properties = properties
        self.poller = a_poller(self.session, properties)

    def __enter__(self) -> Running:
        self.poller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.poller.stop()

    def restart(self) -> None:
        """Stop cleanly and start anew from the checkpoints."""
        self.poller.stop()
        self.poller = a_poller(self.session, self.properties)
        self.poller.start()

    @property
    def data(self) -> list[str]:
        """What the function was given, in order."""
        with self.function.lock:
            return [each for call in self.function.calls for each in call]
