from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from eventstream.commands import sql
from eventstream.target import Target
from fakes.lake_folder import LakeFolder, an_event
from fakes.reading_builders import NINE
from functional.query import commands

EVIL = "=HYPERLINK(1)"


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[commands.Run]:
    lake = LakeFolder(tmp_path / "lake")
    lake.write(
        an_event(
            f"e{number}",
            NINE + timedelta(minutes=number),
            "purchase" if number % 2 else "page_view",
            user_id=f"u{number % 3}",
            page_title=EVIL if number else "\x1b[31mred",
            latency_ms=number * 1.5,
        )
        for number in range(10)
    )
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="lake-bucket")
        for path in (tmp_path / "lake").rglob("*.parquet"):
            key = path.relative_to(tmp_path / "lake").as_posix()
            client.put_object(Bucket="lake-bucket", Key=key, Body=path.read_bytes())
        target = Target(
            stack_name="eventstream-dev",
            region="us-east-1",
            api_url="http://127.0.0.1:9",
            resources={"LakeBucket": "lake-bucket", "GlueDatabase": "eventstream_dev"},
        )
        monkeypatch.setattr(sql, "resolve", lambda *_: target)
        command = commands.running(sql.register, capsys)
        yield lambda *arguments: command("sql", *arguments, "--state", str(tmp_path / "state"))


def test_rows_are_shown_as_a_table(run: commands.Run) -> None:
    shown = run("SELECT event_type, count(*) AS n, 2026 AS year FROM events GROUP BY 1 ORDER BY 1")

    assert shown.code == 0
    assert "page_view" in shown.out
    assert "purchase" in shown.out
    assert "2026" in shown.out  # not 2,026
    assert "2 rows" in shown.err


def test_the_database_of_the_stack_and_the_one_of_the_docs_both_work(run: commands.Run) -> None:
    for schema in ("eventstream", "eventstream_dev"):
        assert run(f"SELECT count(*) AS n FROM {schema}.events", "--json").json["rows"] == [  # noqa: S608
            {"n": 10}
        ]


def test_rows_as_json_tell_columns_types_and_whether_there_are_more(run: commands.Run) -> None:
    body = run(
        "SELECT event_id, \"timestamp\", latency_ms, map(ARRAY['a'], ARRAY[1]) AS m, event_id "
        "FROM events ORDER BY event_id",
        "--json",
        "--limit",
        "1",
    ).json

    assert body == {
        "columns": [
            {"name": "event_id", "type": "varchar"},
            {"name": "timestamp", "type": "timestamp"},
            {"name": "latency_ms", "type": "double"},
            {"name": "m", "type": "map(varchar, integer)"},
            {"name": "event_id_2", "type": "varchar"},
        ],
        "rows": [
            {
                "event_id": "e0",
                "timestamp": "2026-02-20 09:00:00.000",
                "latency_ms": 0.0,
                "m": {"a": 1},
                "event_id_2": "e0",
            }
        ],
        "more": True,
    }


def test_csv_has_all_rows_and_no_formula(run: commands.Run) -> None:
    shown = run(
        "SELECT event_id, page_title, -1 AS minus, '-1' AS text, user_id AS \"=a\", null AS none "
        "FROM events ORDER BY event_id",
        "--csv",
    )

    header, *rows = csv.reader(io.StringIO(shown.out))
    assert header == ["event_id", "page_title", "minus", "text", "'=a", "none"]
    assert len(rows) == 10
    assert rows[1] == ["e1", f"'{EVIL}", "-1", "'-1", "u1", ""]


def test_csv_within_a_limit_says_that_there_is_more(run: commands.Run) -> None:
    shown = run("SELECT event_id FROM events", "--csv", "--limit", "3")

    assert len(shown.out.splitlines()) == 4
    assert "first 3 rows" in shown.err


def test_a_table_without_a_limit_ends_and_says_so(
    run: commands.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "TABLE_ROWS", 4)

    shown = run("SELECT event_id FROM events ORDER BY event_id")

    assert "e3" in shown.out
    assert "e4" not in shown.out
    assert "first 4 rows" in shown.err


def test_what_a_client_sent_cannot_drive_the_terminal(run: commands.Run) -> None:
    shown = run("SELECT page_title FROM events WHERE event_id = 'e0'")
    wide = run("SELECT * FROM events WHERE event_id = 'e0'")

    for each in (shown, wide):
        assert "\\x1b[31mred" in each.out
        assert "\x1b[31m" not in each.out


def test_many_columns_are_printed_one_under_the_other(run: commands.Run) -> None:
    lines = run("SELECT * FROM events WHERE event_id = 'e1'").out.splitlines()

    assert lines[0] == "row 1"
    assert any(line.split() == ["event_type", "purchase"] for line in lines)


def test_a_statement_may_come_from_a_file(run: commands.Run, tmp_path: Path) -> None:
    file = tmp_path / "count.sql"
    file.write_text("-- how many\nSELECT count(*) AS n FROM events;\n")

    assert run("-f", str(file), "--json").json["rows"] == [{"n": 10}]


def test_a_sample_runs_on_the_days_asked_for(run: commands.Run) -> None:
    found = run("--name", "top events", "--days", "2", "--until", "2026-02-21", "--json")
    none = run("--name", "top events", "--days", "2", "--until", "2026-02-19", "--json")

    assert [row["events"] for row in found.json["rows"]] == [5, 5]
    assert "days 2026-02-20 to 2026-02-21, UTC" in found.err
    assert none.json["rows"] == []


def test_samples_are_listed(run: commands.Run) -> None:
    assert "Purchase funnel" in run("--list").out
    assert {"name", "about", "sql"} == set(run("--list", "--json").json[0])


def test_describe_and_show_need_no_objects(run: commands.Run, tmp_path: Path) -> None:
    assert "latency_ms" in run("DESCRIBE events").out
    assert "year=2026/month=02/day=20/hour=09" in run("SHOW PARTITIONS events_raw").out
    assert not (tmp_path / "state" / "lake-cache").exists()


def test_in_a_narrow_window_ids_and_times_stay_whole(
    run: commands.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventstream.output.PIPE_WIDTH", 60)
    statement = "SELECT event_id, repeat('x', {}) AS a, timestamp FROM events WHERE event_id = 'e0'"

    table, lines = (run(statement.format(length)).out for length in (5, 40))

    assert "│ e0 " in table
    assert "row 1\n" in lines
    assert "x" * 40 in lines
    assert "2026-02-20 09:" in lines


def test_objects_are_kept_under_the_state_folder(run: commands.Run, tmp_path: Path) -> None:
    run("SELECT count(*) FROM events")

    kept = list((tmp_path / "state" / "lake-cache" / "lake-bucket").rglob("*.parquet"))

    assert len(kept) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("SELECT * FROM read_csv('/etc/passwd')",), 1, "functions that make tables"),
        (("DROP TABLE events_raw",), 1, "DROP is refused: the lake is read-only here"),
        (("SELECT 1; SELECT 2",), 1, "one statement at a time"),
        (("SELECT evnt_type FROM events",), 1, "did you mean event_type"),
        ((), 2, "exactly one of STATEMENT, --file and --name"),
        (("SELECT 1", "--name", "Top events"), 2, "exactly one of"),
        (("--name", "Best events"), 2, '"Top events"'),
        (("-f", "missing.sql"), 2, "can't read missing.sql"),
        (("SELECT 1", "--json", "--csv"), 2, "not both"),
        (("--name", "Top events", "--until", "yesterday"), 2, "yesterday"),
    ],
)
def test_what_cannot_run_says_why(
    run: commands.Run, arguments: tuple[str, ...], code: int, message: str
) -> None:
    shown = run(*arguments)

    assert (shown.code, shown.out) == (code, "")
    assert message in shown.err


def test_json_is_all_that_goes_to_stdout(run: commands.Run) -> None:
    shown = run("SELECT count(*) FROM events", "--json")

    assert json.loads(shown.out)["rows"] == [{"_col0": 10}]
