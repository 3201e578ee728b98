"""What of the process function is measured by itself: its calls, computing, memory and bytes.

Each function runs in a process of its own, which is to have imported nothing yet.
"""

from __future__ import annotations

import base64
import gc
import gzip
import importlib
import io
import json
import multiprocessing
import os
import resource
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from benchmarks.measure import Work

if TYPE_CHECKING:
    from botocore.model import OperationModel

Result = TypeVar("Result")

_MB = 1 << 20 if sys.platform == "darwin" else 1 << 10
"""What the system counts memory in, in a megabyte."""


def apart(function: Callable[..., Result], *arguments: object) -> Result:
    """Call a function in a new process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def calls_of_a_batch(count: int) -> Mapping[str, int]:
    """Return the AWS calls of one batch of new people, by operation and table."""
    import boto3

    from benchmarks.process import batches, invoke

    calls: Counter[str] = Counter()

    def called(model: OperationModel, params: Mapping[str, Any], **_rest: object) -> None:
        body = params["body"] if model.service_model.service_name == "dynamodb" else b"{}"
        asked = json.loads(body)
        tables = {asked.get("TableName"), *asked.get("RequestItems", {})}
        tables |= {each["Put"]["TableName"] for each in asked.get("TransactItems", [])}
        calls[f"{model.name} {' '.join(sorted(filter(None, tables))) or 'lake'}"] += 1

    boto3.setup_default_session()
    boto3.DEFAULT_SESSION.events.register("before-call", called)  # type: ignore[union-attr]
    from process.handler import lambda_handler

    _without_output()
    invoke(lambda_handler, batches(count, packed=True, ahead=0).next())
    return calls


class _NoCalls:
    """A client of any service that answers without asking anybody."""

    def __getattr__(self, _operation: str) -> Callable[..., Any]:
        return lambda **_parameters: {"Responses": {}}


def compute() -> dict[str, Work]:
    """Set up the process function with all that is its own: only the SDK is not."""
    import boto3

    from benchmarks.process import SIZES, batches, invoke

    boto3.client = lambda *_names, **_settings: _NoCalls()
    from process.handler import lambda_handler

    def piece(count: int) -> Work:
        again = batches(count, packed=True)
        return lambda: invoke(lambda_handler, again.next())

    return {str(count): piece(count) for count in SIZES}


def floor() -> dict[str, Work]:
    """Set up what nobody gets below: take records apart, read their JSON, compress as much."""
    import pyarrow as pa
    import simdjson

    from benchmarks.process import SIZES, batches

    parser, codec = simdjson.Parser(), pa.Codec("zstd", compression_level=1)

    def run(records: list[dict[str, Any]]) -> None:
        packs = [base64.b64decode(record["kinesis"]["data"]) for record in records]
        for pack in packs:
            for line in pack.split(b"\n"):
                parser.parse(line)
        codec.compress(b"\n".join(packs))

    def piece(count: int) -> Work:
        again = batches(count, packed=True)
        return lambda: run(again.next()["Records"])

    return {str(count): piece(count) for count in SIZES}


def peak_mb(module: str, packed: bool) -> float:
    """Return how far a batch of 6,000 events raises the most memory that the process ever had."""
    from benchmarks.process import batches, invoke

    handler = importlib.import_module(module).lambda_handler
    _without_output()
    batch = batches(6_000, packed=packed, ahead=0).next()
    invoke(handler, batches(100, packed=packed, ahead=0).next())  # what the first call of all takes
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    invoke(handler, batch)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / _MB


def sizes(count: int) -> Mapping[str, float]:
    """Return bytes per event of one hour's events in several formats."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from benchmarks.process import SIZES, Batches, stream_lines
    from common.adapters.parquet import encode
    from common.domain.decode import decode_batch

    datas = [line for _, line in stream_lines(count, SIZES[count], together=500)]
    ours = encode(decode_batch(Batches(datas).next()["Records"]).lines)
    snappy = io.BytesIO()
    pq.write_table(pq.read_table(pa.BufferReader(ours)), snappy, compression="snappy")
    text = b"\n".join(datas)
    return {
        "NDJSON": len(text) / count,
        "NDJSON, gzip": len(gzip.compress(text, 6, mtime=0)) / count,
        "Parquet, snappy, library defaults": len(snappy.getvalue()) / count,
        "lake object": len(ours) / count,
    }


def _without_output() -> None:
    """Drop what the handler logs from here on."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
