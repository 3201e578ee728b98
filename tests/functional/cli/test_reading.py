from __future__ import annotations

from typing import Any

import pytest

from eventstream.commands import query
from functional.cli.running import Run

URL = ("--url", "http://127.0.0.1:1")
WHY = "1,500 click events between 09:00 and 10:00, expected 60..140"
ANOMALY = {
    "window_start": "2026-11-20T09:00:00.000Z",
    "event_type": "click",
    "finding": {"metric": "count", "direction": "up", "value": 1500, "explanation": WHY},
    "resolved_at": None,
    "state": "SENT",
}


def answering(monkeypatch: pytest.MonkeyPatch, **body: Any) -> None:
    monkeypatch.setattr(query, "read_rows", lambda *_: {"next_cursor": None, **body})


@pytest.mark.parametrize("width", [80, 109])
def test_in_a_narrow_window_an_anomaly_is_a_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr("eventstream.output.PIPE_WIDTH", width)
    answering(monkeypatch, anomalies=[ANOMALY])

    assert run("anomalies", *URL).out == f"2026-11-20 09:00  click, count up (sent): {WHY}\n"


def test_in_a_wide_window_anomalies_are_a_table(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventstream.output.PIPE_WIDTH", 160)
    answering(monkeypatch, anomalies=[ANOMALY])

    shown = run("anomalies", *URL).out

    assert "event type" in shown
    assert WHY in shown


@pytest.mark.parametrize("command", ["metrics", "types"])
def test_where_nothing_is_yet_it_says_how_long_an_event_takes(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    answering(monkeypatch, points=[], event_types=[], **{"from": "then", "to": "now"})

    assert "an event shows up within about 10 seconds" in run(command, *URL).err
