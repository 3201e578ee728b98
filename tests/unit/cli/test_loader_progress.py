from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstream.load.progress import (
    LoadRunningError,
    ProgressFile,
    merge_ranges,
    progress_key,
)


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9))))
def test_merged_ranges_hold_the_same_rows_without_overlap(
    drawn: list[tuple[int, int]],
) -> None:
    ranges = [(first, first + length) for first, length in drawn]

    merged = merge_ranges(ranges)

    rows = {row for first, last in ranges for row in range(first, last + 1)}
    assert {row for first, last in merged for row in range(first, last + 1)} == rows
    assert all(one[1] + 1 < two[0] for one, two in pairwise(merged))


def test_a_load_remembers_what_was_answered_for(tmp_path: Path) -> None:
    with ProgressFile(tmp_path / "load.jsonl") as file:
        file.open("sales.csv", timedelta(hours=5))
        file.record(1, 10, accepted=9, rejected=1)
        file.record(21, 30, accepted=10, rejected=0)
        file.record(11, 20, accepted=10, rejected=0)

    with ProgressFile(tmp_path / "load.jsonl") as file:
        done = file.read()

    assert done.ranges == ((1, 30),)
    assert (done.rows, done.accepted, done.rejected) == (30, 29, 1)
    assert done.shift == timedelta(hours=5)


def test_a_line_that_was_half_written_is_that_of_a_batch_to_be_sent_again(tmp_path: Path) -> None:
    path = tmp_path / "load.jsonl"
    with ProgressFile(path) as file:
        file.open("sales.csv", None)
        file.record(1, 10, accepted=10, rejected=0)
    path.write_bytes(path.read_bytes() + b'{"first": 11, "last": 2')

    with ProgressFile(path) as file:
        before = file.read()
        file.open("sales.csv", None)
        file.record(11, 20, accepted=10, rejected=0)
    with ProgressFile(path) as file:
        after = file.read()

    assert before.ranges == ((1, 10),)
    assert after.ranges == ((1, 20),)


def test_a_file_that_is_no_progress_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "load.jsonl"
    path.write_text("{ torn")

    with ProgressFile(path) as file:
        assert file.read().ranges == ()
        file.open("sales.csv", None)
        file.record(1, 5, accepted=5, rejected=0)

    with ProgressFile(path) as file:
        assert file.read().ranges == ((1, 5),)


def test_restart_forgets(tmp_path: Path) -> None:
    with ProgressFile(tmp_path / "load.jsonl") as file:
        file.open("sales.csv", None)
        file.record(1, 5, accepted=5, rejected=0)

    with ProgressFile(tmp_path / "load.jsonl") as file:
        file.restart()
        assert file.read().rows == 0


def test_two_processes_can_not_be_at_the_same_load(tmp_path: Path) -> None:
    second = ProgressFile(tmp_path / "load.jsonl")

    with (
        ProgressFile(tmp_path / "load.jsonl"),
        pytest.raises(LoadRunningError, match="already running"),
    ):
        second.__enter__()

    with ProgressFile(tmp_path / "load.jsonl") as again:
        assert again.read().rows == 0


def test_another_source_pipeline_or_option_is_another_load() -> None:
    keys = {
        progress_key("dev", "file", "shifted=False"),
        progress_key("dev", "file", "shifted=True"),
        progress_key("dev", "other", "shifted=False"),
        progress_key("prod", "file", "shifted=False"),
    }

    assert len(keys) == 4
