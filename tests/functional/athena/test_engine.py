from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.domain.lake_schema import COLUMNS, PARTITIONS
from eventstream.lake.sql import run
from eventstream.lake.statement import SqlError
from fakes.lake_folder import LakeFolder, an_event
from fakes.reading_builders import NINE


@pytest.fixture
def lake(tmp_path: Path) -> LakeFolder:
    return LakeFolder(tmp_path / "it's a=lake")


def rows(lake: LakeFolder, sql: str) -> list[tuple[Any, ...]]:
    with run(sql, lake) as result:
        return [tuple(row) for row in result.rows]


def test_an_event_stored_twice_is_one_row_of_the_view(lake: LakeFolder) -> None:
    event = an_event("e1", NINE)
    lake.write([event])
    lake.write([event])

    assert rows(lake, "SELECT count(*) FROM events_raw") == [(2,)]
    assert rows(lake, "SELECT count(*) FROM events") == [(1,)]


def test_of_several_copies_the_one_that_arrived_first_counts(lake: LakeFolder) -> None:
    late = an_event("e1", NINE, "late", received_at=NINE + timedelta(minutes=9))
    lake.write([late])
    lake.write([an_event("e1", NINE, "first")], shard="shardId-000000000007")

    assert rows(lake, "SELECT event_type FROM events") == [("first",)]


def test_one_id_of_two_sources_is_two_events(lake: LakeFolder) -> None:
    lake.write([an_event("e1", NINE, source=source) for source in ("public", "key-1")])

    assert rows(lake, "SELECT count(*) FROM events") == [(2,)]


def test_columns_come_in_the_order_of_the_table_and_then_the_partitions(lake: LakeFolder) -> None:
    lake.write([an_event("e1", NINE)])

    for table in ("events", "events_raw"):
        with run(f"SELECT * FROM {table}", lake) as result:  # noqa: S608
            assert result.columns == [*(column.name for column in COLUMNS), *PARTITIONS]


def test_instants_are_utc_and_partitions_are_integers(lake: LakeFolder) -> None:
    lake.write([an_event("e1", NINE + timedelta(milliseconds=120))])

    with run('SELECT "timestamp", year, month, day, hour FROM events', lake) as result:
        assert result.types == ["timestamp", "integer", "integer", "integer", "integer"]
        assert list(result.rows) == [
            (datetime(2026, 2, 20, 9, 0, 0, 120_000), 2026, 2, 20, 9)  # noqa: DTZ001
        ]


def test_an_object_from_before_a_column_has_null_in_it(lake: LakeFolder) -> None:
    lake.write([an_event("new", NINE, utm_term="mug")])
    [path] = lake.root.rglob("*.parquet")
    older = pq.ParquetFile(path).read().drop_columns(["utm_term"])
    pq.write_table(
        older.set_column(0, "event_id", pa.array(["old"])), path.with_name("older.parquet")
    )

    assert rows(lake, "SELECT event_id, utm_term FROM events ORDER BY 1") == [
        ("new", "mug"),
        ("old", None),
    ]


def test_a_lake_of_only_old_objects_has_the_new_column_too(lake: LakeFolder) -> None:
    lake.write([an_event("e1", NINE)])
    [path] = lake.root.rglob("*.parquet")
    pq.write_table(pq.ParquetFile(path).read().drop_columns(["utm_term"]), path)

    assert rows(lake, "SELECT utm_term FROM events") == [(None,)]


def test_a_column_that_nothing_here_knows_is_no_column_of_the_table(lake: LakeFolder) -> None:
    lake.write([an_event("e1", NINE)])
    [path] = lake.root.rglob("*.parquet")
    table = pq.ParquetFile(path).read()
    pq.write_table(table.append_column("later", pa.array([1])), path)

    with pytest.raises(SqlError, match="there is no column later"):
        rows(lake, "SELECT later FROM events")


def test_properties_are_read_as_json(lake: LakeFolder) -> None:
    lake.write([an_event("e1", NINE, properties={"plan": "pro", "seats": [1, 2]})])

    assert rows(
        lake,
        "SELECT json_extract_scalar(properties, '$.plan'), "
        "json_array_length(json_extract(properties, '$.seats')) FROM events",
    ) == [("pro", 2)]


def test_rows_of_other_partitions_are_not_read(lake: LakeFolder) -> None:
    lake.write([an_event(f"e{hour}", NINE.replace(hour=hour)) for hour in range(24)])

    assert rows(lake, "SELECT event_id FROM events WHERE hour = 5") == [("e5",)]
    assert len(lake.asked) == 1


def test_a_file_of_the_lake_that_is_not_parquet_is_an_error_of_one_line(lake: LakeFolder) -> None:
    lake.write([an_event("e1", NINE)])
    [path] = lake.root.rglob("*.parquet")
    path.write_bytes(b"no parquet")

    with pytest.raises(SqlError) as caught:
        rows(lake, "SELECT count(*) FROM events")

    assert "\n" not in str(caught.value)
