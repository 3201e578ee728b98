from __future__ import annotations

import io
import json
from typing import Any

import pytest

from common.observability import logger
from fakes.ingest_client import Post, posting_to
from fakes.stream import Fault, MemorySink


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
