"""What becomes of one event: its line is what enrichment says, or it is rejected with a reason."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from common.domain.enrich import (
    Arrival,
    Checked,
    Client,
    Enricher,
    Enrichment,
    EventTime,
    event_time,
)
from common.models import EnrichedEvent, IngestEvent
from fakes.bodies import valid_event
from fakes.ingest_builders import LIMITS, NOON, a_world
from ingest.judging import Judge, Line
from ingest.receipts import Result
from ingest.routes import Target
from ingest.submission import Sent
from ingest.validation import validate

ARRIVAL = Arrival(NOON, NOON + timedelta(milliseconds=7), "k1", frozenset({"error"}))
FACTS = {"ua_family": "Firefox", "ua_os": None, "is_bot": False}
ENRICHMENT = Enrichment(lambda _agent: FACTS, "truncated")
LATE = {"event_type": "x", "timestamp": "2024-01-15T10:30:00Z"}


NATIVE = Target("native")


def judged(event: object, target: Target = NATIVE, **sent: Any) -> Line | Result:
    judge = Judge(target, ARRIVAL, a_world().rules, lambda _event: "spare")
    return judge.of(0, Sent(event, **sent))


def stored(made: Line | Result) -> dict[str, Any]:
    assert isinstance(made, Line)
    event: dict[str, Any] = json.loads(made.data)
    return event


def test_the_line_is_the_enriched_event() -> None:
    rng = random.Random(5)
    arrival = replace(ARRIVAL, client=Client("agent", "203.0.113.77"))
    for _ in range(500):
        event = validate(valid_event(rng))
        assert isinstance(event, IngestEvent)
        time = event_time(event, NOON, LIMITS)
        assert isinstance(time, EventTime)
        checked = rng.choice([Checked(), Checked("x/1", "properties.a: type")])
        enricher = Enricher(arrival, ENRICHMENT)
        whole = enricher.event(event, "id", time, checked)

        line = enricher.line(event, "id", time, checked)

        assert EnrichedEvent.model_validate_json(line) == whole


def test_an_event_without_an_id_takes_the_spare_one() -> None:
    assert stored(judged({"event_type": "x"}))["event_id"] == "spare"
    assert stored(judged({"event_type": "x", "event_id": "own"}))["event_id"] == "own"


def test_a_server_with_a_clock_of_its_own_is_not_corrected() -> None:
    event = {
        "event_type": "x",
        "timestamp": "2026-02-20T10:00:00Z",
        "sent_at": "2026-02-20T11:00:00Z",
    }

    corrected, believed = stored(judged(event)), stored(judged(event, own_clock=True))

    assert corrected["timestamp"] == "2026-02-20T11:00:00Z"
    assert believed["timestamp"] == "2026-02-20T10:00:00Z"
    assert believed["sent_at"] == corrected["sent_at"]


@pytest.mark.parametrize("surface", ["native", "segment", "amplitude"])
def test_a_time_outside_the_limits_is_rejected_unless_the_path_names_the_type(surface: Any) -> None:
    made = judged(LATE, Target(surface))

    assert isinstance(made, Result)
    assert made.errors[0].rule == "outside_time_limits"
    typed = stored(judged({"timestamp": LATE["timestamp"]}, Target("native", event_type="x")))
    assert typed["timestamp"] == typed["received_at"]
    assert typed["original_timestamp"] == LATE["timestamp"]
