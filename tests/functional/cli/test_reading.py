from __future__ import annotations

from datetime import UTC, datetime, timedelta
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


def a_series(count: int) -> dict[str, Any]:
    start = datetime(2026, 11, 13, tzinfo=UTC)
    points = [
        {
            "start": (start + timedelta(hours=at)).isoformat(timespec="milliseconds"),
            "value": 100 + at,
            "status": "final",
        }
        for at in range(count)
    ]
    return {
        "event_type": "*",
        "metric": "count",
        "granularity": "1h",
        "unit": "events",
        "points": points,
    }


def test_a_long_series_is_a_screenful_and_says_how_to_see_the_rest(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventstream.output.PIPE_WIDTH", 80)
    answering(monkeypatch, **a_series(168))

    shown = run("metrics", *URL)

    lines = (shown.out + shown.err).splitlines()
    assert len(lines) < 24
    assert max(len(line) for line in lines) <= 80
    assert "2026-11-13 00:00" in lines[2]
    assert lines[2].endswith("2026-11-19 23:00")
    assert "lowest 100, highest 267 (2026-11-19 23:00)" in lines[3]
    assert "2.8 points" in lines[3]
    assert lines[-1] == "the last 14 of 168 points; --all shows every one"


@pytest.mark.parametrize("arguments", [("--all",), ("--limit", "168")])
def test_all_points_are_shown_to_who_asks_for_them(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    answering(monkeypatch, **a_series(168))

    shown = run("metrics", *arguments, *URL)

    assert shown.out.count("final") == 168
    assert "--all" not in shown.err


def test_json_has_every_point(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, **a_series(168))

    assert len(run("metrics", "--json", *URL).json["points"]) == 168


def test_all_and_a_limit_contradict_each_other(run: Run) -> None:
    shown = run("metrics", "--all", "--limit", "3", *URL)

    assert (shown.code, "not both" in shown.err) == (2, True)


def test_a_short_series_has_its_ends_in_one_line_and_a_gap_counts_as_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = a_series(4)
    del series["points"][1]
    answering(monkeypatch, **series)

    out = run("metrics", *URL).out

    assert "2026-11-13 00:00 to 2026-11-13 03:00\n" in out
    assert "lowest 0, highest 103 (2026-11-13 03:00)\n" in out
    assert "a mark is" not in out


def test_runs_fit_80_columns_and_a_failure_is_told_whole_below_them(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventstream.output.PIPE_WIDTH", 80)
    ok = {
        "started_at": "2026-11-20T12:44:03.653Z",
        "status": "SUCCEEDED",
        "hours": 96,
        "events": 20_021_000,
        "anomalies": 4,
        "error": None,
        "cause": None,
    }
    cause = "s3:GetObject failed: " + "slow down " * 12
    answering(monkeypatch, runs=[ok, {**ok, "status": "FAILED", "error": "E", "cause": cause}])

    out = run("runs", *URL).out

    *table, told = out.splitlines()
    assert max(len(line) for line in table) <= 80
    assert sum("2026-11-20 12:44" in line for line in table) == 2
    assert told == f"2026-11-20 12:44 failed: E: {cause}"


@pytest.mark.parametrize("command", ["metrics", "types"])
def test_where_nothing_is_yet_it_says_how_long_an_event_takes(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    answering(monkeypatch, points=[], event_types=[], **{"from": "then", "to": "now"})

    assert "an event shows up within about 10 seconds" in run(command, *URL).err
