from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fakes.event_api import Event, EventApi, answer, receipt
from functional.cli.running import Run

MAPPING = """
event = {type = "sale", rules = [{when = "n < 0", type = "return"}]}
timestamp = {column = "at"}
user_id = "who"
[properties]
n = "integer"
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "sales.csv"
    rows = [f"2026-11-20 09:{row % 60:02d}:00,user-{row % 7},{row - 3}" for row in range(100)]
    path.write_text("at,who,n\n" + "\n".join(rows) + "\n")
    (tmp_path / "sales.toml").write_text(MAPPING)
    return path


@pytest.fixture
def command(table: Path, tmp_path: Path, url: str) -> tuple[str, ...]:
    mapping = str(table.with_suffix(".toml"))
    state = str(tmp_path / "state")
    return ("load", str(table), "-m", mapping, "--url", url, "--state", state, "--batch", "10")


def ids(events: list[Event]) -> list[str]:
    return [event["event_id"] for event in events]


def test_every_row_becomes_one_event_and_the_account_adds_up(
    run: Run, api: EventApi, command: tuple[str, ...]
) -> None:
    result = run(*command, "--json")

    report = result.json
    assert result.code == 0
    assert (report["rows"], report["sent"], report["accepted"]) == (100, 100, 100)
    assert report["types"] == {"return": 3, "sale": 97}
    assert len(api.requests) == 10
    assert len(set(ids(api.accepted))) == 100


def test_a_second_run_finds_nothing_to_do_and_a_restart_sends_the_same_ids(
    run: Run, api: EventApi, command: tuple[str, ...]
) -> None:
    run(*command)
    first = set(ids(api.accepted))

    again = run(*command, "--json")
    restarted = run(*command, "--restart", "--json")

    assert again.json["sent"] == 0
    assert again.json["earlier_runs"]["accepted"] == 100
    assert restarted.json["sent"] == 100
    assert set(ids(api.accepted)) == first


def test_a_load_that_failed_goes_on_where_it_stopped(
    run: Run, api: EventApi, command: tuple[str, ...]
) -> None:
    api.script = lambda number, _events: answer(503, {"message": "busy"}) if number >= 4 else None

    failed = run(*command, "--json", "--give-up-after", "0", "--concurrency", "1")
    api.script = lambda _number, _events: None
    resumed = run(*command, "--json")

    assert failed.code == 1
    assert "run the same command again" in failed.err
    assert failed.json["accepted"] == 40
    assert failed.json["accepted"] + failed.json["given_up"] == failed.json["sent"]
    assert (resumed.code, resumed.json["sent"]) == (0, 60)
    assert len(ids(api.accepted)) == len(set(ids(api.accepted))) == 100


def test_a_loader_that_is_killed_loses_and_doubles_nothing(
    run: Run, api: EventApi, command: tuple[str, ...]
) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def hold_the_fourth(number: int, _events: list[Event]) -> Any:
        if number == 3:
            reached.set()
            go_on.wait(30)
        return None

    api.script = hold_the_fourth
    process = subprocess.Popen(
        [sys.executable, "-m", "eventstream", *command, "--concurrency", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": "src"},
    )
    assert reached.wait(30)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    go_on.set()
    api.wait_for(accepted=40)

    resumed = run(*command, "--json")

    assert process.returncode == -signal.SIGKILL
    # The third batch is done, and may not have been noted yet when the fourth was on its way.
    assert resumed.json["sent"] in (70, 80)
    assert len(set(ids(api.accepted))) == 100
    twice = {one for one in ids(api.accepted) if ids(api.accepted).count(one) > 1}
    assert set(ids(api.requests[3])) <= twice <= set(ids(api.requests[2] + api.requests[3]))


def test_rows_that_are_no_events_are_told_and_the_rest_is_loaded(
    run: Run, api: EventApi, table: Path, command: tuple[str, ...]
) -> None:
    table.write_text(table.read_text() + "2026-11-20 10:00:00,ada,many\n")

    result = run(*command, "--json")

    assert result.code == 1
    assert (result.json["accepted"], result.json["bad_rows"]) == (100, 1)
    assert "n: must be a number (1 times, first in row 101)" in result.err


def test_a_load_that_is_refused_whole_can_be_repeated_after_mending(
    run: Run, api: EventApi, command: tuple[str, ...]
) -> None:
    api.script = lambda _number, events: receipt(["rejected"] * len(events))
    refused = run(*command, "--json")

    api.script = lambda _number, _events: None
    mended = run(*command, "--json")

    assert (refused.code, refused.json["rejected"]) == (1, 100)
    assert "timestamp is refused" in refused.err
    assert "timestamp: timestamp" not in refused.err
    assert "mend the mapping or the file, then run it again" in refused.err
    assert "run the same command again" not in refused.err
    assert mended.json["accepted"] == 100


def test_a_dry_run_sends_nothing_and_shows_the_first_events(
    run: Run, api: EventApi, command: tuple[str, ...]
) -> None:
    result = run(*command, "--dry-run", "--limit", "20", "--json")

    assert api.requests == []
    assert (result.json["rows"], result.json["types"]) == (20, {"return": 3, "sale": 17})
    assert result.json["sample"][0]["properties"] == {"n": -3}


def test_a_dry_run_names_the_first_refusals_by_row_field_and_rule(
    run: Run, api: EventApi, table: Path, command: tuple[str, ...]
) -> None:
    table.write_text(table.read_text() + f"2026-11-20 10:00:00,{'u' * 257},1\n")

    told, as_json = run(*command, "--dry-run"), run(*command, "--dry-run", "--json")

    assert api.requests == []
    assert (told.code, as_json.code) == (1, 1)
    assert "would refuse 1 of 101 events" in told.err
    assert "row 101: user_id must have at most 256 characters (too_long)" in told.err
    assert as_json.json["refused"] == 1
    assert [(each["row"], each["field"], each["rule"]) for each in as_json.json["refusals"]] == [
        (101, "user_id", "too_long")
    ]


def test_a_latency_table_without_a_type_is_sent_as_a_number(
    run: Run, api: EventApi, table: Path, command: tuple[str, ...]
) -> None:
    mapping = table.with_suffix(".toml")
    mapping.write_text(
        'event = {type = "sale"}\ntimestamp = {column = "at"}\n[latency_ms]\ncolumn = "ms"\n'
    )
    table.write_text("at,ms\n2026-11-20 09:00:00,484\n")

    dry = run(*command, "--dry-run", "--json")
    run(*command)

    assert (dry.code, dry.json["refused"]) == (0, 0)
    assert [event["latency_ms"] for event in api.accepted] == [484.0]


def test_events_before_the_hot_windows_come_with_the_etl_run_that_counts_them(
    run: Run, command: tuple[str, ...], table: Path
) -> None:
    now = datetime.now(UTC)
    table.write_text(
        f"at,who,n\n{now:%Y-%m-%d %H:%M:%S},a,1\n2026-01-20 09:59:00,a,1\n2026-01-20 11:00:00,b,2\n"
    )

    told = run(*command)
    as_json = run(*command, "--restart", "--json")

    assert "2 events are older than the last two hours: " in told.err
    assert "`eventstream etl run --from 2026-01-20T09 --to 2026-01-20T12 --state " in told.err
    assert as_json.json["older_events"] == {
        "events": 2,
        "first_hour": "2026-01-20T09",
        "end_hour": "2026-01-20T12",
    }


def test_events_of_this_hour_need_no_etl_run(
    run: Run, command: tuple[str, ...], table: Path
) -> None:
    table.write_text(f"at,who,n\n{datetime.now(UTC):%Y-%m-%d %H:%M:%S},a,1\n")

    assert "etl run" not in run(*command).err


def test_the_account_fits_80_columns(
    run: Run, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventstream.output.PIPE_WIDTH", 80)

    lines = run(*command).out.splitlines()

    assert any("given up" in line for line in lines)
    assert any("events/s" in line for line in lines)
    assert max(len(line) for line in lines) <= 80


def test_a_header_with_another_delimiter_is_told(
    run: Run, command: tuple[str, ...], table: Path
) -> None:
    table.write_text("at;who;n\n2026-11-20 09:00:00;a;1\n")

    result = run(*command)

    assert result.code == 2
    assert """write delimiter = ";" in the mapping""" in result.err


def test_a_resumed_load_keeps_the_shift_it_began_with(
    run: Run, api: EventApi, command: tuple[str, ...]
) -> None:
    api.script = lambda number, _events: answer(503, {}) if number >= 2 else None
    run(*command, "--shift-to-now", "--give-up-after", "0", "--concurrency", "1")
    progress = next(Path(command[command.index("--state") + 1]).glob("loads/*.jsonl"))
    header, *rest = progress.read_text().splitlines()
    moved = {**json.loads(header), "shift_hours": -48}
    progress.write_text("\n".join([json.dumps(moved), *rest]) + "\n")

    api.script = lambda _number, _events: None
    run(*command, "--shift-to-now")

    assert {event["timestamp"][:13] for event in api.accepted[20:]} == {"2026-11-18T09"}


def test_a_limit_can_be_raised_later(run: Run, api: EventApi, command: tuple[str, ...]) -> None:
    run(*command, "--limit", "25")
    result = run(*command, "--limit", "60", "--json")

    assert result.json["sent"] == 35
    assert len(set(ids(api.accepted))) == 60


def test_progress_is_told_on_stderr_and_data_alone_on_stdout(
    run: Run, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventstream.progress.LOG_EVERY_S", 0.0)

    result = run(*command, "--json")

    assert "loading: 100 of 100 (100 %)" in result.err
    assert json.loads(result.out)["accepted"] == 100


def test_generated_traffic_is_loaded_and_a_repeat_is_recognised(
    run: Run, api: EventApi, url: str, tmp_path: Path
) -> None:
    command = ("load", "--synthetic", "--hours", "30", "--events", "400", "--seed", "5")
    command += ("--until", "2026-11-20T09:00:00Z", "--anomaly", "error:2:9", "--json")
    command += ("--url", url, "--state", str(tmp_path))

    first, again = run(*command), run(*command)

    assert first.code == 0
    assert first.json["accepted"] >= 400
    assert first.json["first_timestamp"] >= "2026-11-19T03"
    assert first.json["last_timestamp"] < "2026-11-20T09"
    assert again.json["sent"] == 0
    assert again.json["earlier_runs"]["accepted"] == first.json["accepted"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "give a FILE to load, or --synthetic"),
        (("no-such.csv",), "there is no file no-such.csv"),
        (("--synthetic", "--anomaly", "mood:1:3"), "TYPE must be one of"),
        (("--synthetic", "--anomaly", "error:0:3"), "HOUR counts back"),
        (("--synthetic", "--anomaly", "error:1:1"), "FACTOR must be a number over 1"),
        (("--synthetic", "--hours", "4", "--anomaly", "error:9:3"), "within the 4 hours"),
        (("--synthetic", "--until", "2026-11-20T09:30:00Z"), "whole hour"),
        (("--synthetic", "--until", "yesterday"), "--until"),
        (("--synthetic", "file.csv"), "reads no file"),
        (("file.csv", "--anomaly", "error:3:8"), "need --synthetic"),
        (("--synthetic", "--batch", "0"), "--batch"),
    ],
)
def test_wrong_use_exits_2_and_names_the_option(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    result = run("load", *arguments, "--url", "http://127.0.0.1:1", "--state", str(tmp_path))

    assert result.code == 2
    assert told in result.err
    assert result.err.count("\n") == 1
