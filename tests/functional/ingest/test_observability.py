from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from common.domain.enrich import Enrichment
from common.observability import logger, metrics
from fakes.ingest_client import Post, posting_to
from fakes.stream import Fault, MemorySink
from ingest import handler
from ingest.registry import Registry


def test_counts_what_became_of_the_events_and_nothing_that_a_client_wrote(
    post: Post, capsys: pytest.CaptureFixture[str]
) -> None:
    post([{"event_type": "s3cret", "user_id": "s3cret"}, {"s3cret": 1}, {"event_type": "b"}])
    post("{", "/events")

    written = capsys.readouterr().out
    first, second = [json.loads(line) for line in written.splitlines() if "_aws" in line]
    assert (first["EventsAccepted"], first["EventsRejected"], first["EventsRetried"]) == (
        [2.0],
        [1.0],
        [0.0],
    )
    assert second["RequestsRefused"] == [1.0]
    assert "EventsAccepted" not in second
    assert "s3cret" not in written
    for blob in (first, second):
        assert [set(names) <= {"service"} for names in dimensions(blob)] == [True]


def dimensions(blob: dict[str, Any]) -> list[list[str]]:
    return [names for each in blob["_aws"]["CloudWatchMetrics"] for names in each["Dimensions"]]


def test_the_log_tells_of_the_stream_and_not_of_the_events(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", log)
    post = posting_to(MemorySink([Fault(whole="store_failed")] * 3), monkeypatch)

    post([{"event_type": "s3cret", "user_id": "s3cret"}])
    post('{"s3cret":')

    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["message"], line["correlation_id"]) for line in lines] == [
        ("stream did not acknowledge", "r-1")
    ]
    assert lines[0]["retry"] == 1
    assert "s3cret" not in log.getvalue()


@pytest.mark.parametrize(("path", "key"), [("/v1/track", "k-1"), ("/v1/track", "public")])
def test_the_key_stands_beside_the_figures_and_is_no_dimension(
    post: Post, capsys: pytest.CaptureFixture[str], path: str, key: str
) -> None:
    body = {"type": "track", "event": "x"} | ({} if key == "public" else {"writeKey": key})
    post(body, path)

    [blob] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert blob.get("source") == (None if key == "public" else key)
    assert [set(names) <= {"service"} for names in dimensions(blob)] == [True]


def test_an_enrichment_that_fails_is_counted_and_costs_no_event(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sink: MemorySink
) -> None:
    def broken(_user_agent: str) -> dict[str, Any]:
        raise RuntimeError("the library's own")

    monkeypatch.setattr(metrics, "namespace", "EventStream")
    enrichment = Enrichment(broken, failed=lambda _part: handler.tally.add("EnrichmentsFailed"))
    post = posting_to(sink, monkeypatch, enrichment=enrichment)

    answer = post([{"event_type": "x"}] * 2, headers={"user-agent": "browser"})
    post({"event_type": "x"})

    first, second = [
        json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line
    ]
    assert answer.status == 200
    assert len(sink.events()) == 3
    assert first["EnrichmentsFailed"] == [1.0]  # what events have from their request, once
    assert "EnrichmentsFailed" not in second


SCHEMA = """{
  "type": "object", "required": ["total"], "properties": {"total": {"type": "number", "minimum": 0}}
}"""
CASES = [
    ("/events", {"event_type": "purchase", "properties": {"total": -73}}),
    ("/events/purchase", {"total": -73}),
    ("/v1/track", {"type": "track", "event": "purchase", "properties": {"total": -73}}),
]


def a_registry(folder: Path, mode: Any) -> Registry:
    (folder / "purchase").mkdir()
    (folder / "purchase" / "2.json").write_text(SCHEMA)
    return Registry.load(folder, mode, lambda _schema: handler.tally.add("SchemaViolations"))


@pytest.mark.parametrize(("path", "event"), CASES)
def test_what_breaks_its_schema_is_rejected_in_strict_mode_with_the_path_that_fails(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sink: MemorySink,
    path: str,
    event: dict[str, Any],
) -> None:
    monkeypatch.setattr(metrics, "namespace", "EventStream")
    post = posting_to(sink, monkeypatch, registry=a_registry(tmp_path, "strict"))

    answer = post(event, path)

    assert answer.status == 400
    [error] = answer.body["errors"]
    assert (error["field"], error["rule"]) == ("properties.total", "schema:minimum")
    assert "73" not in json.dumps(answer.body)
    assert [each for each in sink.events() if "rejected" not in each] == []


@pytest.mark.parametrize(("path", "event"), CASES)
def test_what_breaks_its_schema_is_accepted_marked_and_counted_in_observe_mode(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    path: str,
    event: dict[str, Any],
) -> None:
    sink = MemorySink()
    monkeypatch.setattr(metrics, "namespace", "EventStream")
    post = posting_to(sink, monkeypatch, registry=a_registry(tmp_path, "observe"))

    assert post(event, path).status == 200
    [stored] = sink.events()
    [blob] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert stored["event_schema"] == "purchase/2"
    assert stored["schema_violation"] == "properties.total: minimum"
    assert blob["SchemaViolations"] == [1.0]


@pytest.mark.usefixtures("post")
def test_counts_the_events_that_are_to_be_sent_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    post = posting_to(MemorySink([Fault(whole="throttled")] * 3), monkeypatch)

    post([{"event_type": "x"}] * 3)

    [blob] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert (blob["EventsAccepted"], blob["EventsRetried"], blob["RequestsRefused"]) == (
        [0.0],
        [3.0],
        [1.0],
    )
