"""What is loaded is what every stage says: hour by hour, type by type, user by user."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.conftest import MakePipeline
from e2e.local_pipeline import EXACT
from e2e.rows import by_sql, write_rows

pytestmark = pytest.mark.e2e

ROWS = 4_000


def test_hourly_results_and_sql_equal_an_independent_count(
    pipeline: MakePipeline, tmp_path: Path
) -> None:
    table = write_rows(tmp_path, ROWS, hours=12)
    running = pipeline(**EXACT)
    running.start()

    report = running.must(*table.load, "--json").json
    running.wait_for_lake(ROWS)

    assert (report["accepted"], report["rejected"], report["given_up"]) == (ROWS, 0, 0)
    assert running.hours(table.first, table.end) == table.hourly()
    assert by_sql(running) == table.hourly()


def test_a_load_that_is_sent_twice_changes_no_hourly_result(
    pipeline: MakePipeline, tmp_path: Path
) -> None:
    table = write_rows(tmp_path, 600, hours=4)
    running = pipeline(**EXACT)
    running.start()

    running.must(*table.load)
    again = running.must(*table.load, "--restart", "--json").json
    running.wait_for_lake(600)
    running.wait_until_drained()

    assert again["accepted"] == 600
    # More if the API was too busy for some, and they were sent once more.
    assert running.raw_rows() >= 1_200
    assert running.hours(table.first, table.end) == table.hourly()

    # The control: the same rows under other ids, those of a file that differs, are other events.
    table.path.write_text(table.path.read_text() + "\n")
    running.must(*table.load)
    running.wait_for_lake(1_200)
    assert running.hours(table.first, table.end)["purchase"] == {
        hour: (2 * count, users) for hour, (count, users) in table.hourly()["purchase"].items()
    }


def test_the_demo_finds_its_anomaly_and_every_number_agrees(pipeline: MakePipeline) -> None:
    made = pipeline()

    result = made.must(
        *("demo", "--events", "5000", "--hours", "48", "--port", "0", "--json"),
        *("--state", str(made.folder)),
    ).json

    assert result["ok"] is True
    assert result["anomaly"]["found"] is True
    assert sum(row["aggregated"] for row in result["types"]) >= 5_000
    assert made.run("stop").out == "nothing was running\n"
