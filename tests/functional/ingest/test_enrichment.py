"""Schemas, user agents and addresses through the handler, onto the stream."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aggregate.lake_hour import LakeHours
from aggregate.results import schemas_in_use
from common.adapters.parquet import encode
from common.domain.decode import decode_batch
from common.domain.enrich import Enrichment
from common.domain.keys import lake_key
from common.ports.aggregates import SchemaUse
from fakes.ingest_builders import NOON
from fakes.ingest_client import Post, posting_to
from fakes.lake_reader import MemoryLakeReader
from fakes.stream import MemorySink
from ingest import handler
from ingest.registry import Registry, SchemaMode
from ingest.user_agents import UserAgents

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "schemas"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
)
GOOD = {"order_id": "o-1", "total": 59.9, "currency": "EUR"}
BAD = GOOD | {"total": -5}


@pytest.fixture
def post_under(
    sink: MemorySink, post: Post, monkeypatch: pytest.MonkeyPatch
) -> Any:  # a function of the mode
    del post  # sets the metrics up

    def under(mode: SchemaMode) -> Post:
        violated = handler._count("SchemaViolations")
        return posting_to(
            sink,
            monkeypatch,
            registry=Registry.load(EXAMPLES, mode, violated),
            enrichment=Enrichment(UserAgents().facts, "truncated"),
        )

    return under


def a_purchase(properties: object, **fields: Any) -> dict[str, Any]:
    return {"event_type": "purchase", "properties": properties} | fields


def test_observed_violations_are_accepted_and_told_with_the_event(
    post_under: Any, sink: MemorySink
) -> None:
    answer = post_under("observe")([a_purchase(GOOD), a_purchase(BAD), {"event_type": "other"}])

    assert (answer.status, answer.body["accepted"]) == (200, 3)
    told = [(each.get("event_schema"), each.get("schema_violation")) for each in sink.events()]
    assert sorted(told, key=str) == sorted(
        [
            (None, None),
            ("purchase/1", None),
            ("purchase/1", "properties.total: minimum"),
        ],
        key=str,
    )


def test_in_strict_mode_a_violation_rejects_that_event_alone(
    post_under: Any, sink: MemorySink
) -> None:
    answer = post_under("strict")([a_purchase(GOOD), a_purchase(BAD), {"event_type": "other"}])

    assert answer.status == 207
    assert [each["status"] for each in answer.body["results"]] == [
        "accepted",
        "rejected",
        "accepted",
    ]
    assert answer.body["results"][1]["error"] == {
        "field": "properties.total",
        "rule": "schema:minimum",
        "message": "properties.total must be at least 0 (schema purchase/1)",
    }
    assert len(sink.events()) == 2


def test_switched_off_nothing_is_told(post_under: Any, sink: MemorySink) -> None:
    assert post_under("off")(a_purchase(BAD)).status == 200

    [event] = sink.events()
    assert "event_schema" not in event


def test_violations_are_a_metric_of_the_request(
    post_under: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    post_under("observe")([a_purchase(BAD), a_purchase(GOOD), a_purchase(BAD)])
    post_under("observe")(a_purchase(GOOD))

    first, second = [
        json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line
    ]
    assert first["SchemaViolations"] == [2.0]
    assert "SchemaViolations" not in second


def test_an_event_tells_its_senders_device_and_network_and_no_more(
    post_under: Any, sink: MemorySink
) -> None:
    post = post_under("observe")
    event = {"event_type": "x", "context": {"ip": "198.51.100.77", "locale": "de"}}

    post([{"event_type": "x"}, event], headers={"user-agent": PHONE, "x-forwarded-for": "9.9.9.9"})

    by_ip = {each["ip"]: each for each in sink.events()}
    assert by_ip.keys() == {"203.0.113.0", "198.51.100.0"}
    assert by_ip["198.51.100.0"]["context"] == {"ip": "198.51.100.0", "locale": "de"}
    for each in by_ip.values():
        assert (each["ua_family"], each["ua_os"], each["ua_device"], each["is_bot"]) == (
            "Mobile Safari",
            "iOS",
            "iPhone",
            False,
        )
    assert b"198.51.100.77" not in b"".join(record.data for record in sink.stored)


def test_what_the_door_says_of_an_event_reaches_the_lake_and_the_hours_figures(
    post_under: Any, sink: MemorySink
) -> None:
    events = [a_purchase(BAD, event_id="1"), a_purchase(GOOD, event_id="2"), {"event_type": "x"}]
    for _ in range(2):  # a client that sends everything again
        post_under("observe")(events[:2], headers={"user-agent": PHONE})
    post_under("observe")(events[2])

    batch = decode_batch(
        {
            "eventSourceARN": "arn:aws:kinesis:eu-central-1:000000000000:stream/events",
            "eventID": f"shardId-000000000000:{number}",
            "kinesis": {
                "sequenceNumber": str(number),
                "data": base64.b64encode(record.data).decode(),
            },
        }
        for number, record in enumerate(sink.stored, 1)
    )
    lake = MemoryLakeReader()
    hour = NOON.replace(minute=0)
    lake.objects[lake_key(hour, "events", "shardId-000000000000", "1", "9")] = encode(batch.lines)
    found = LakeHours(lake, memory_mb=128)(hour, {})

    assert (batch.bad, found.rows, found.total.count) == ((), 5, 3)
    assert schemas_in_use(found) == {"purchase": SchemaUse(version=1, violations=1)}
    assert {line.event.ua_family for line in batch.lines} == {"Mobile Safari", None}


NEVER = ("pyarrow", "duckdb", "numpy", "pandas", "aws_xray_sdk")
WHEN_NEEDED = ("jsonschema_rs", "ua_parser", "ua_parser_builtins", "re2")

_IMPORT = """
import sys
import ingest.handler
from ingest.registry import Registry
from ingest.user_agents import UserAgents
registry, agents = Registry.load(), UserAgents()
print(*sys.modules)
agents.warm()
from pathlib import Path
Registry.load(Path(sys.argv[1]))
print(*sys.modules)
"""


def imported() -> list[set[str]]:
    run = subprocess.run(
        [sys.executable, "-c", _IMPORT, str(EXAMPLES)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / "src"), "POWERTOOLS_SERVICE_NAME": "ingest"},
    )
    return [{name.partition(".")[0] for name in line.split()} for line in run.stdout.splitlines()]


def test_what_is_deployed_with_the_function_holds_none_of_the_large_libraries() -> None:
    deployed = "".join(
        (ROOT / "src" / part / "requirements.txt").read_text() for part in ("ingest", "common")
    )
    names = set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", deployed, re.MULTILINE))

    assert names >= {"jsonschema-rs", "ua-parser", "google-re2", "pydantic"}
    assert not names & {"pyarrow", "duckdb", "numpy", "pandas", "aws-xray-sdk"}


def test_starting_the_function_loads_no_library_that_it_may_not_need() -> None:
    started, used = imported()

    assert not started & {*NEVER, *WHEN_NEEDED}
    assert used >= set(WHEN_NEEDED)
    assert not used & set(NEVER)
