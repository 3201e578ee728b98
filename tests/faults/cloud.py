"""Bucket and tables in moto, and what is found in them after a schedule."""

from __future__ import annotations

import io
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, TypeVar

import boto3
import pyarrow.parquet as pq
import pytest
from moto import mock_aws

from common.adapters.calls import CLIENT_CONFIG
from common.adapters.hot_store import DynamoHotStore
from common.adapters.hours import DynamoHourMarks
from common.adapters.lake import S3Lake
from common.domain.hot import HotWindow, TypeCount
from common.observability import logger
from fakes.aws_answers import skip_waits
from faults.http_faults import KINDS, HttpFaults
from faults.mapping import Lane
from faults.traffic import LineId
from faults.world import Crash
from process.counters import HotCounters
from process.service import Deps

RETENTION = timedelta(days=14)
MAX_TYPES = 2
_MOST_DELIVERIES = 2_000
"""Enough for any schedule whose work ends at all."""

Invoke = Callable[[Sequence[Any], Deps], bool]
"""Processes a batch; says whether it is done with."""


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
        tables = self._read(["shard", "sequence", "line"]).values()
        return {(row["shard"], row["sequence"], row["line"]) for rows in tables for row in rows}

    def hours(self) -> dict[str, set[str]]:
        """Read which hours of the lake have an event, copies dropped."""
        hours: dict[str, set[str]] = defaultdict(set)
        for key, rows in self._read(["event_id"]).items():
            for row in rows:
                hours[row["event_id"]].add(key.rpartition("/")[0])
        return hours

    def _read(self, columns: list[str]) -> dict[str, list[dict[str, Any]]]:
        found = {}
        for key in self.objects("events/"):
            body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            found[key] = pq.read_table(io.BytesIO(body), columns=columns).to_pylist()
        return found

    def deliver(self, lanes: Sequence[Lane], rng: Random, rate: float, invoke: Invoke) -> None:
        """Deliver all under faults; which lane comes next is drawn by lot, as is who takes it."""
        environments = [self.environment() for _ in lanes]
        self.faults.rng, self.faults.rate = rng, rate
        for _ in range(_MOST_DELIVERIES):
            unfinished = [lane for lane in lanes if not lane.finished]
            if not unfinished:
                break
            lane, which = rng.choice(unfinished), rng.randrange(len(environments))
            delivery = lane.next()
            try:
                done = invoke(lane.records[slice(*delivery.span)], environments[which])
            except Crash:
                environments[which] = self.environment()
                lane.failed(delivery)
                continue
            self.counts["given back"] += not done
            (lane.succeeded if done else lane.failed)(delivery)
        assert all(lane.finished for lane in lanes)
        self.faults.rng = None

    def kinds_short_of(self, times: int) -> dict[str, int]:
        """Return the kinds of faults that happened less often."""
        counts = self.faults.counts
        return {kind: counts[kind] for kind in KINDS if counts[kind] < times}

    def note(self) -> str:
        """Say how often each kind of fault happened."""
        told = ", ".join(f"{self.faults.counts[kind]:,} {kind}" for kind in KINDS)
        return f"{told}; {self.counts['given back']:,} given back"

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


AnyCloud = TypeVar("AnyCloud", bound=Cloud)


@contextmanager
def in_the_cloud(make: type[AnyCloud], monkeypatch: pytest.MonkeyPatch) -> Iterator[AnyCloud]:
    """Have moto's services behind faulty clients that do not wait between their tries."""
    skip_waits(monkeypatch)
    monkeypatch.setattr("sys.stdout", io.StringIO())
    level = logger.log_level
    logger.setLevel("ERROR")
    faults = HttpFaults()
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1", config=CLIENT_CONFIG)
        dynamodb = boto3.client("dynamodb", region_name="us-east-1", config=CLIENT_CONFIG)
        faults.install(s3)
        faults.install(dynamodb)
        yield make(s3, dynamodb, faults)
    logger.setLevel(level)


def _window(item: Any) -> HotWindow:
    return HotWindow(
        {name: _type_count(of["M"]) for name, of in item["types"]["M"].items()}, item["hw"]["S"]
    )


def _type_count(of: Any) -> TypeCount:
    latency = of["latency"]["B"] if "latency" in of else None
    return TypeCount(int(of["count"]["N"]), int(of["errors"]["N"]), latency)
