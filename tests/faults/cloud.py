"""Bucket and tables in moto, and what is found in them after a schedule."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pyarrow.parquet as pq

from common.adapters.hot_store import DynamoHotStore
from common.adapters.hours import DynamoHourMarks
from common.adapters.lake import S3Lake
from common.domain.hot import HotWindow, TypeCount
from faults.http_faults import HttpFaults
from faults.traffic import LineId
from process.counters import HotCounters
from process.service import Deps

RETENTION = timedelta(days=14)
MAX_TYPES = 2


@dataclass
class Cloud:
    """Tables and bucket of one schedule, behind clients that live through all of them."""

    s3: Any
    dynamodb: Any
    faults: HttpFaults
    number: int = 0
    counters: Callable[[Cloud], Any] | None = None
    """Puts a control in the place of the counters."""
    counts: Counter[str] = field(default_factory=Counter)

    def renew(self) -> None:
        """Begin a schedule with nothing stored."""
        self.number += 1
        self.s3.create_bucket(Bucket=self.bucket)
        for table in (self.hot, self.aggregates):
            self.dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[
                    {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")
                ],
                KeySchema=[
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
            )
        self.faults.applied.clear()

    @property
    def bucket(self) -> str:
        return f"lake-{self.number}"

    @property
    def hot(self) -> str:
        return f"hot-{self.number}"

    @property
    def aggregates(self) -> str:
        return f"aggregates-{self.number}"

    def environment(self) -> Deps:
        """Return what an execution environment that remembers nothing has."""
        store = DynamoHotStore(self.dynamodb, self.hot, RETENTION)
        shipped = HotCounters(store, max_types=MAX_TYPES)
        return Deps(
            lake=S3Lake(self.s3, self.bucket),
            hours=DynamoHourMarks(self.dynamodb, self.aggregates),
            counters=self.counters(self) if self.counters else shipped,
        )

    def windows(self) -> dict[tuple[str, str], HotWindow]:
        """Read the hot windows as they are stored."""
        items = self.dynamodb.scan(TableName=self.hot)["Items"]
        return {(item["pk"]["S"], item["sk"]["S"]): _window(item) for item in items}

    def objects(self, prefix: str) -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [one["Key"] for one in listed.get("Contents", ())]

    def rows(self) -> set[LineId]:
        """Read which lines are in the lake."""
        rows = set()
        for key in self.objects("events/"):
            body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            table = pq.read_table(io.BytesIO(body), columns=["shard", "sequence", "line"])
            rows |= {(row["shard"], row["sequence"], row["line"]) for row in table.to_pylist()}
        return rows

    def hours_changed_after_their_mark(self) -> set[str]:
        """Read off the requests, in the order in which they arrived."""
        changed: set[str] = set()
        for operation, what, succeeded in self.faults.applied:
            hive = re.search(r"events/year=(\d+)/month=(\d+)/day=(\d+)/hour=(\d+)/", what)
            mark = re.search(r"HOUR#(\d+-\d+-\d+T\d+)", what)
            if operation == "PutObject" and hive and succeeded:
                changed.add("{}-{}-{}T{}".format(*hive.groups()))
            elif operation == "UpdateItem" and mark and succeeded:
                changed.discard(mark[1])
        return changed


def _window(item: Any) -> HotWindow:
    return HotWindow(
        {name: _type_count(of["M"]) for name, of in item["types"]["M"].items()}, item["hw"]["S"]
    )


def _type_count(of: Any) -> TypeCount:
    latency = of["latency"]["B"] if "latency" in of else None
    return TypeCount(int(of["count"]["N"]), int(of["errors"]["N"]), latency)
