"""Rows of tables from what the HTTP API tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eventstream.reading.series import minute

Row = Mapping[str, Any]


def anomaly_row(row: Row) -> Sequence[object]:
    """Return an anomaly's hour, event type, metric, value, explanation and state."""
    finding = row["finding"]
    return (
        minute(row["window_start"]),
        "all types" if row["event_type"] == "*" else row["event_type"],
        f"{finding['metric']} {finding['direction']}",
        finding["value"],
        finding["explanation"],
        "taken back" if row["resolved_at"] else row["state"].lower(),
    )


def failures(runs: Iterable[Row]) -> list[str]:
    """Say of each run that failed why, in a line of its own: causes are long.

    >>> failures([{"started_at": "2026-11-20T09:10:00Z", "error": "StoreError", "cause": "slow"}])
    ['2026-11-20 09:10 failed: StoreError: slow']
    """
    return [
        f"{minute(run['started_at'])} failed: {run['error']}"
        + (f": {run['cause']}" if run["cause"] else "")
        for run in runs
        if run["error"]
    ]
