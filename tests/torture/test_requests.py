"""Whatever comes, the answer is one that clients know, and what is accepted is in the lake."""

from __future__ import annotations

import io
import json
import resource
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest

from common.adapters.parquet import encode
from common.domain.enrich import Enrichment
from common.observability import logger, metrics
from fakes.ingest_client import Answer, Post, posting_to
from ingest import bodies
from ingest.user_agents import UserAgents
from torture.requests import Requests, Sending
from torture.sinks import Recorder, read_by_process

STATUSES = frozenset({200, 207, 400, 401, 403, 404, 405, 413})
LANES = 4
"""Parts that may run side by side."""
ENRICHMENT = Enrichment(UserAgents().facts, "truncated")
MEMORY_MB = 300
"""Growth that is no leak: the largest request, and what Python keeps for the next one."""


@pytest.fixture
def sink() -> Recorder:
    return Recorder()


@pytest.fixture
def post(sink: Recorder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    monkeypatch.setattr("sys.stdout", io.StringIO())
    monkeypatch.setattr(metrics, "namespace", "EventStream")
    level = logger.log_level
    logger.setLevel("ERROR")
    yield posting_to(sink, monkeypatch, enrichment=ENRICHMENT)
    logger.setLevel(level)


def send(post: Post, sending: Sending, method: str = "POST") -> Answer:
    return post(sending.body, sending.path, headers=dict(sending.headers), method=method)


def figures(answer: Answer) -> tuple[int, int]:
    """Return how many events an answer calls accepted, and how many rejected."""
    body = answer.body
    if "results" in body:
        assert body["accepted"] + body["rejected"] + body["retry"] == len(body["results"])
        return body["accepted"], body["rejected"]
    if isinstance(body.get("rejected"), list):
        return body["accepted"], len(body["rejected"])
    return int(answer.status == 200), 0


@pytest.mark.parametrize("lane", range(LANES))
def test_every_request_is_answered_and_accounted_for(
    post: Post, sink: Recorder, lane: int, amount: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    requests, statuses, valid = Requests(f"lane-{lane}"), Counter[int](), 0
    count = amount["bodies"] // LANES
    before = peak_mb()
    for n in range(count):
        sending, method = requests.next(), requests.method()
        answer = send(post, sending, method)
        statuses[answer.status] += 1
        accepted, rejected = figures(answer)
        lines, bad = read_by_process(sink.take())
        assert accepted == len(lines)
        assert bad <= rejected
        if sending.meant and method == "POST":
            valid += 1
            assert (answer.status, accepted) == (200, len(sending.meant)), answer.body
        if answer.status >= 400:
            assert answer.body["code"]
            assert answer.body["message"]
        if n % 1000 == 0:
            monkeypatch.setattr("sys.stdout", io.StringIO())

    assert set(statuses) <= STATUSES
    assert valid > count / 3
    assert statuses[207] > count * 0.01
    assert statuses[400] > count * 0.1
    assert peak_mb() - before < MEMORY_MB


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_what_was_accepted_is_read_back_from_the_lake(
    post: Post, sink: Recorder, amount: dict[str, int]
) -> None:
    requests, meant = Requests("lake"), dict[str, dict[str, Any]]()
    said: list[dict[str, Any]] = []
    records = []
    while len(said) < amount["samples"]:
        sending = requests.next()
        answer = send(post, sending)
        taken = sink.take()
        records += taken
        lines = [json.loads(line) for each in taken for line in each.data.split(b"\n")]
        said += [line for line in lines if "rejected" not in line]
        if answer.status == 200:
            meant |= {event["event_id"]: event for event in sending.meant}

    rows = in_the_lake(records)

    assert [as_said(row) for row in rows] == [as_said(event) for event in said]
    found = {row["event_id"].removeprefix("s#"): row for row in rows}
    assert meant.keys() <= found.keys()
    for event_id, event in meant.items():
        assert differing(found[event_id], event) == []


def in_the_lake(records: list[Any]) -> list[dict[str, Any]]:
    lines, _ = read_by_process(records)
    table = pq.read_table(io.BytesIO(encode(lines)))
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        for name in ("properties", "context"):
            row[name] = json.loads(row[name]) if row[name] is not None else None
    return rows


_SAME = ("event_id", "event_type", "user_id", "anonymous_id", "properties", "context", "source")


def as_said(event: dict[str, Any]) -> dict[str, Any]:
    """Return what the stream and the lake must both say of an event."""
    same = {name: event.get(name) for name in _SAME}
    return same | {"latency_ms": event.get("latency_ms"), "is_error": event.get("is_error", False)}


def differing(row: dict[str, Any], event: dict[str, Any]) -> list[str]:
    """Name the fields that the lake has otherwise than the client meant them."""
    expected = {"event_type": event["event_type"], "user_id": event.get("user_id")}
    wrong = [name for name, value in expected.items() if row[name] != value]
    sent, stored = event.get("properties") or {}, row["properties"] or {}
    return wrong + [name for name, value in sent.items() if stored.get(name) != value]


def test_a_reader_that_only_catches_bad_json_fails(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    def naive(data: bytes, _name: str = "body") -> object:
        try:
            return json.loads(data)
        except json.JSONDecodeError:
            raise bodies._error(bodies.InvalidRequestError, "bad_json", "no JSON") from None

    monkeypatch.setattr(bodies, "decode", naive)
    requests, failed = Requests("naive"), 0
    for _ in range(1000):
        try:
            send(post, requests.next())
        except (RecursionError, UnicodeError):
            failed += 1

    assert failed > 10
