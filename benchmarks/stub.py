"""AWS that answers at once, in a process of its own, so that only the caller's work is measured."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

_HEADERS_END = b"\r\n\r\n"


class _Answers(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as much of it as botocore's calls need."""

    def __init__(self, item: bytes, sizes: list[int]) -> None:
        self._item = item
        self._sizes = sizes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (request := self._next()) is not None:
            head, body = request
            answer = _answer(head, body, self._item, self._sizes)
            kind = b"application/x-amz-json-1.0" if answer else b"application/xml"
            self._transport.write(
                b'HTTP/1.1 200 OK\r\ncontent-type: %b\r\nx-amzn-requestid: r\r\netag: "e"\r\n'
                b"content-length: %d\r\n\r\n%b" % (kind, len(answer), answer)
            )

    def _next(self) -> tuple[bytes, bytes] | None:
        head, end, rest = self._received.partition(_HEADERS_END)
        if not end:
            return None
        head = head.lower()
        if b"expect: 100-continue" in head and not rest:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = _content_length(head)
        if len(rest) < length:
            return None
        self._received = rest[length:]
        return head, rest[:length]


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _answer(head: bytes, body: bytes, item: bytes, sizes: list[int]) -> bytes:
    if b"x-amz-target: kinesis_20131202.putrecords" in head:
        records: list[Any] = json.loads(body)["Records"]
        sizes += [len(each["Data"]) * 3 // 4 for each in records]
        done = [{"ShardId": "shardId-000000000000", "SequenceNumber": "1"}] * len(records)
        return json.dumps({"FailedRecordCount": 0, "Records": done}).encode()
    if b"x-amz-target: kinesis_20131202.putrecord" in head:
        return b'{"ShardId":"shardId-000000000000","SequenceNumber":"1"}'
    if b".getitem" in head:
        return item
    if b"batchgetitem" in head:
        return b'{"Responses":{},"UnprocessedKeys":{}}'
    return b"{}" if b"x-amz-target" in head else b""


async def _serve(pipe: Connection, item: bytes) -> None:
    loop, sizes = asyncio.get_running_loop(), list[int]()
    server = await loop.create_server(lambda: _Answers(item, sizes), "127.0.0.1", 0)

    def asked() -> None:
        if pipe.recv() == "forget":
            sizes.clear()
        pipe.send(sizes)

    loop.add_reader(pipe.fileno(), asked)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _main(pipe: Connection, item: bytes) -> None:
    asyncio.run(_serve(pipe, item))


class StubbedAws:
    """The stub, as the benchmark sees it."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.url = f"http://127.0.0.1:{pipe.recv()}"

    def record_sizes_of(self, worker: Connection, piece: str) -> list[int]:
        """Have a worker do a piece of work once; return the sizes of the records it put."""
        self._pipe.send("forget")
        self._pipe.recv()
        worker.send((piece, 1))
        worker.recv()
        self._pipe.send("tell")
        sizes: list[int] = self._pipe.recv()
        return sizes


@contextmanager
def stubbed_aws(item: object = None) -> Iterator[StubbedAws]:
    """Run the stub and point every AWS client at it that is made meanwhile, here or in a child.

    Parameters
    ----------
    item
        What every ``GetItem`` finds, as DynamoDB spells an item; nothing by default.
    """
    found = json.dumps({"Item": item} if item else {}).encode()
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_main, args=(theirs, found), daemon=True)
    process.start()
    aws = StubbedAws(ours)
    os.environ.update(
        AWS_ENDPOINT_URL=aws.url,
        AWS_ACCESS_KEY_ID="benchmark",
        AWS_SECRET_ACCESS_KEY="benchmark",  # noqa: S106 - of nothing
        AWS_REGION="us-east-1",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_EC2_METADATA_DISABLED="true",
    )
    try:
        yield aws
    finally:
        process.terminate()
        process.join()
