"""What the demo saw: each number on its way through the pipeline, and the planted anomaly."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from common.domain.keys import ALL_TYPES
from common.domain.windows import iso_hour
from eventstream.etl.results import EtlResults
from eventstream.load.report import LoadReport
from eventstream.load.source import Generated
from eventstream.local.state import Running
from eventstream.traffic.generate import Plan


@dataclass
class Timings:
    """How long each step took, in seconds."""

    steps: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step."""
        started = time.monotonic()
        yield
        self.steps[name] = round(time.monotonic() - started, 2)


@dataclass(frozen=True)
class TypeRow:
    """One event type on its way through the pipeline."""

    event_type: str
    sent: int
    accepted: int
    in_lake: int
    """Distinct events, as SQL counts them."""
    aggregated: int
    """Sum of the hourly results."""

    @property
    def is_equal(self) -> bool:
        return self.sent == self.accepted == self.in_lake == self.aggregated


@dataclass(frozen=True)
class DemoResult:
    """What the demo saw."""

    rows: list[TypeRow]
    anomaly_hour: str
    found: str | None
    """The explanation of the planted anomaly; ``None`` when it was not found."""
    other_findings: int
    """Anomalies found in other hours."""
    load_seconds: float

    @property
    def is_good(self) -> bool:
        return all(row.is_equal for row in self.rows) and self.found is not None


def compare(
    plan: Plan, report: LoadReport, in_lake: Mapping[str, int], results: EtlResults
) -> DemoResult:
    """Put what was sent beside what every stage says of it; the plan has an anomaly."""
    if plan.anomaly is None or plan.anomaly_hour is None:
        raise ValueError("the plan has no anomaly to look for")
    start_at, end_at = plan.starts_at, plan.ends_at
    sent = Counter(
        str(event["event_type"]) for _, event in Generated(plan).events() if isinstance(event, dict)
    )
    totals = {row["event_type"]: row["count"] for row in results.type_totals(start_at, end_at)}
    names = sorted(sent | report.types | Counter(in_lake) | Counter(totals))
    rows = [
        TypeRow(name, sent[name], report.types[name], in_lake.get(name, 0), totals.get(name, 0))
        for name in names
    ]
    hour, planted = iso_hour(plan.anomaly_hour), plan.anomaly
    metric = "count" if planted.metric == "count" else "latency_p95"
    findings = results.findings(start_at, end_at, [*names, ALL_TYPES])
    found = [
        each["explanation"]
        for each in findings
        if (each["hour"], each["event_type"], each["metric"]) == (hour, planted.event_type, metric)
    ]
    others = sum(1 for each in findings if each["hour"] != hour)
    return DemoResult(rows, hour, found[0] if found else None, others, report.seconds)


def as_dict(result: DemoResult, running: Running, timings: Timings) -> dict[str, Any]:
    """Return the JSON shape."""
    return {
        "ok": result.is_good,
        "types": [{**vars(row), "equal": row.is_equal} for row in result.rows],
        "anomaly": {
            "hour": result.anomaly_hour,
            "found": result.found is not None,
            "explanation": result.found,
            "findings_in_other_hours": result.other_findings,
        },
        "seconds": timings.steps,
        "events_per_second_accepted": round(
            sum(row.accepted for row in result.rows) / max(result.load_seconds, 1e-9)
        ),
        "url": running.url,
    }
