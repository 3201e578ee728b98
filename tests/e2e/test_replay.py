"""A poison line on the real local pipeline: isolated, found, mended, replayed, counted once."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from common.domain.windows import rfc3339
from e2e.conftest import MakePipeline
from e2e.local_pipeline import LocalPipeline
from fakes.waiting import wait_for

pytestmark = pytest.mark.e2e

NOW = datetime.now(UTC)


def an_event(number: int) -> bytes:
    at = rfc3339(NOW)
    return json.dumps(
        {
            "event_id": f"good-{number}",
            "event_type": "page_view",
            "user_id": "ada",
            "timestamp": at,
            "timestamp_source": "client",
            "received_at": at,
            "ingested_at": at,
            "schema_version": 1,
        }
    ).encode()


@pytest.fixture
def running(pipeline: MakePipeline) -> LocalPipeline:
    made = pipeline(BatchWindowSeconds="1")
    made.start()
    return made


def put(running: LocalPipeline, *records: bytes) -> None:
    target = running.target()
    target.client("kinesis").put_records(
        StreamName=target.resource("EventStream"),
        Records=[{"Data": data, "PartitionKey": "ada"} for data in records],
    )


def batches(running: LocalPipeline) -> list[dict[str, Any]]:
    """Read what the process function logged of each of its invocations."""
    target = running.target()
    group = target.resource("ProcessFunctionLogGroup")
    found = target.client("logs").filter_log_events(logGroupName=group)["events"]
    lines = [each["message"] for each in found if '"message":"batch ' in each["message"]]
    return [json.loads(line[line.index("{") :]) for line in lines]


def test_a_poison_line_is_isolated_mended_and_replayed(
    running: LocalPipeline, tmp_path: Path
) -> None:
    good = [an_event(number) for number in range(6)]
    broken = b'{"event_type":"purchase","event_id":"mended","total":'
    put(running, b"\n".join([good[0], broken, good[1]]), b"\n".join(good[2:]))

    running.wait_for_lake(6)
    [kept] = wait_for(
        "quarantine", lambda: running.must("quarantine", "list", "--json").json["quarantined"]
    )

    assert (kept["reason"], kept["line"], kept["lines"]) == ("json_invalid", 1, 1)
    told = batches(running)
    assert {each["message"] for each in told} == {"batch processed"}
    assert sum(each["records"] for each in told) == 2, "each record was handed over once"
    assert sum(each["quarantined"] for each in told) == 1
    assert broken.decode() in running.must("quarantine", "show", kept["id"]).out

    refused = running.run("replay", "quarantine", "--json")
    assert (refused.code, refused.json["bad"], refused.json["sent"]) == (1, 1, 0)

    file = tmp_path / "lines.ndjson"
    running.must("replay", "quarantine", "--export", str(file))
    item = json.loads(file.read_text())
    del item["text"]
    item["message"] = {"event_type": "purchase", "event_id": "mended", "properties": {"total": 5}}
    file.write_text(json.dumps(item))
    done = running.must("replay", "quarantine", "--from-file", str(file), "--json").json
    again = running.must("replay", "quarantine", "--from-file", str(file), "--json").json
    running.wait_for_lake(7)

    assert (done["sent"], done["moved"]) == (1, 1)
    assert (again["sent"], again["replayed_before"]) == (0, 1)
    assert running.lake_counts() == {"page_view": 6, "purchase": 1}
    [row] = running.sql(
        "SELECT event_id, replayed, received_at FROM events_raw WHERE event_type = 'purchase'"
    )
    assert (row["event_id"], row["replayed"]) == ("mended", True)
    assert running.must("quarantine", "list", "--json").json["quarantined"] == []
    series = running.must("metrics", "purchase", "-g", "5m", "--last", "2h", "--json").json
    assert sum(int(point["value"]) for point in series["points"]) == 0, "it is not hot"
