from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.adapters.parquet import encode
from common.domain.decode import StreamLine, decode_batch
from common.domain.lake_schema import COLUMNS
from common.models import LakeRow
from fakes.process_builders import SHARD, a_line, a_record, an_event, sequence_of

FULL = an_event(
    user_id="user-42",
    anonymous_id="anon-1",
    session_id="session-7",
    source="key-1",
    latency_ms=142.5,
    is_error=True,
    properties={"total": 59.9, "tags": ["é", None]},
    context={"page": {"url": "https://example.com/"}},
    page_url="https://example.com/",
    is_bot=False,
    original_timestamp="2026-11-20T10:06:30.123Z",
    sent_at="2026-11-20T12:06:31.000+02:00",
    replayed=True,
)


def _file(lines: tuple[StreamLine, ...]) -> pq.ParquetFile:
    return pq.ParquetFile(io.BytesIO(encode(lines)))


def _rows(*events: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = _file(decode_batch([a_record(*events)]).lines).read().to_pylist()
    return rows


def test_the_columns_are_the_lakes_in_order_and_type_and_where_null_may_be() -> None:
    schema = _file((a_line(),)).schema_arrow

    assert [(field.name, str(field.type), field.nullable) for field in schema] == [
        (column.name, column.arrow, column.nullable) for column in COLUMNS
    ]


def test_a_row_holds_what_the_event_and_its_place_are() -> None:
    [row] = _rows(FULL)

    assert row["properties"] == '{"total":59.9,"tags":["é",null]}'
    assert row["context"] == '{"page":{"url":"https://example.com/"}}'
    assert row["sent_at"] == datetime(2026, 11, 20, 10, 6, 31, tzinfo=UTC)
    assert (row["stream"], row["shard"], row["sequence"], row["line"]) == (
        "events",
        SHARD,
        sequence_of(0),
        0,
    )
    read_back = LakeRow.model_validate(row | {"properties": None, "context": None})
    assert row["session_source"] == "client"
    place = ("stream", "shard", "sequence", "line", "session_source")
    sent = LakeRow.model_validate(FULL | {name: row[name] for name in place})
    assert read_back == sent.model_copy(update={"properties": None, "context": None})


def test_what_an_event_leaves_out_is_null() -> None:
    [row] = _rows(an_event())

    assert {column.name for column in COLUMNS if row[column.name] is None} == {
        column.name for column in COLUMNS if column.nullable
    }


def test_rows_keep_the_order_of_the_lines() -> None:
    rows = _rows(*(an_event(event_id=str(number)) for number in range(5)))

    assert [(row["event_id"], row["line"]) for row in rows] == [(str(n), n) for n in range(5)]


def test_instants_are_cut_to_milliseconds() -> None:
    [row] = _rows(an_event(timestamp="2026-11-20T10:06:30.123999Z"))

    assert row["timestamp"] == datetime(2026, 11, 20, 10, 6, 30, 123_000, tzinfo=UTC)


def test_equal_rows_are_equal_bytes() -> None:
    batch = [a_record(FULL, an_event()), a_record(FULL, at=1)]

    assert encode(decode_batch(batch).lines) == encode(decode_batch(batch).lines)


def test_another_reader_finds_the_same_values(tmp_path: Any) -> None:
    file = tmp_path / "object.parquet"
    file.write_bytes(encode(decode_batch([a_record(FULL, an_event())]).lines))

    found = duckdb.execute(
        """select event_type, epoch_ms("timestamp"), latency_ms, is_error, is_bot, line,
           properties ->> '$.total' from read_parquet(?) order by line""",
        [str(file)],
    ).fetchall()

    at_ms = 1795169190000
    assert found == [
        ("page_view", at_ms, 142.5, True, False, 0, "59.9"),
        ("page_view", at_ms, None, False, None, 1, None),
    ]


def test_a_null_where_none_may_be_is_refused() -> None:
    line = a_line()
    event = msgspec.structs.replace(line.event, event_id=None)
    broken = StreamLine(line.position, 0, event, None, None)

    with pytest.raises(pa.ArrowInvalid, match="event_id"):
        encode((broken,))


def test_the_writer_spends_bytes_only_where_a_query_gains() -> None:
    group = _file(tuple(a_line(at=at) for at in range(50))).metadata.row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]

    assert {column.compression for column in columns} == {"ZSTD"}
    assert {column.path_in_schema for column in columns if column.is_stats_set} == {
        "event_type",
        "timestamp",
    }
    dictionaries = {column.path_in_schema for column in columns if column.has_dictionary_page}
    assert "event_type" in dictionaries
    assert not dictionaries & {"event_id", "user_id", "properties", "context", "timestamp"}


def test_a_small_object_is_half_of_what_the_defaults_make() -> None:
    lines = tuple(a_line(at=at, event_id=str(at)) for at in range(20))
    sink = pa.BufferOutputStream()
    pq.write_table(_file(lines).read(), sink)

    assert len(encode(lines)) < 0.6 * sink.getvalue().size
