from __future__ import annotations

import gzip
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.models import IngestEvent, parse_instant
from eventstream.load.job import preview, shift_to_now
from eventstream.load.mapping import FileMapping
from eventstream.load.opening import open_file
from eventstream.load.rules import RowError
from eventstream.load.source import EventFile, Generated, MappedFile
from eventstream.load.table import Table
from eventstream.output import UsageProblemError
from eventstream.traffic.generate import Plan, generate

NOW = datetime(2026, 11, 20, 9, 42, tzinfo=UTC)
MAPPING = FileMapping.model_validate(
    {
        "event": {"type": "seen"},
        "timestamp": {"column": "at"},
        "user_id": "who",
        "properties": {"n": "integer"},
    }
)
CSV = (
    'at,who,n\n2026-01-01 10:15:00,ada,1\n2026-01-01 12:05:00,"bob\nsmith",2\n2026-01-01 11:00,,x\n'
)


def a_csv(tmp_path: Path, text: str = CSV, name: str = "rows.csv") -> MappedFile:
    path = tmp_path / name
    data = text.encode()
    path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    return MappedFile(Table(path, "csv"), MAPPING)


def test_rows_are_numbered_and_bad_ones_say_why(tmp_path: Path) -> None:
    events = dict(a_csv(tmp_path).events())

    first, third = events[1], events[3]
    assert isinstance(first, dict)
    assert first["user_id"] == "ada"
    assert isinstance(third, RowError)
    assert str(third) == "n: must be a number"


def test_a_cell_may_hold_a_line_feed(tmp_path: Path) -> None:
    second = dict(a_csv(tmp_path).events())[2]

    assert isinstance(second, dict)
    assert second["user_id"] == "bob\nsmith"


def test_a_gzipped_file_gives_the_same_events_under_ids_of_its_own(tmp_path: Path) -> None:
    plain = [event for _, event in a_csv(tmp_path).events() if isinstance(event, dict)]
    packed = [
        event
        for _, event in a_csv(tmp_path, name="rows.csv.gz").events()
        if isinstance(event, dict)
    ]

    assert [{**event, "event_id": ""} for event in packed] == [
        {**event, "event_id": ""} for event in plain
    ]


def test_the_same_content_under_another_name_has_the_same_ids(tmp_path: Path) -> None:
    one, two = a_csv(tmp_path), a_csv(tmp_path, name="copy.csv")

    assert list(map(str, one.events())) == list(map(str, two.events()))
    assert one.identity == two.identity


def test_another_mapping_is_another_load(tmp_path: Path) -> None:
    source = a_csv(tmp_path)
    other = MAPPING.model_copy(update={"user_id": None})

    assert MappedFile(source.table, other).identity != source.identity
    assert MappedFile(source.table, MAPPING).identity == source.identity


def test_rows_of_the_wrong_width_are_told(tmp_path: Path) -> None:
    source = a_csv(tmp_path, "at,who,n\n2026-01-01,ada\n\n2026-01-01,ada,1\n")

    events = dict(source.events())

    assert str(events[1]) == "row: has 2 fields where the header has 3"
    assert isinstance(events[3], dict)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"at,who\n", "no column n", id="a column is missing"),
        pytest.param(b"at,who,n\n\xff,a,1\n", "can't read", id="not the encoding"),
        pytest.param(gzip.compress(CSV.encode())[:40], "can't read", id="a torn gzip"),
    ],
)
def test_a_file_that_can_not_be_read_is_told(tmp_path: Path, data: bytes, told: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(data)

    with pytest.raises(UsageProblemError, match=told):
        list(MappedFile(Table(path, "csv"), MAPPING).events())


def test_ndjson_rows_can_be_mapped(tmp_path: Path) -> None:
    path = tmp_path / "rows.ndjson"
    path.write_text('{"at": "2026-01-01", "n": 4}\n\n[1]\n{"n": NaN}\n{oops\n')

    events = dict(MappedFile(Table(path, "ndjson"), MAPPING).events())

    assert isinstance(events[1], dict)
    assert [str(events[number]) for number in (3, 4, 5)] == [
        "row: must be a JSON object",
        "row: is no JSON",
        "row: is no JSON",
    ]


def test_a_file_of_events_keeps_their_ids_and_gives_ids_where_there_are_none(
    tmp_path: Path,
) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text('{"event_type": "a", "event_id": "mine"}\n{"event_type": "b"}\n')

    first, again = (
        [event for _, event in EventFile(Table(path, "ndjson")).events()] for _ in range(2)
    )

    assert first == again
    assert isinstance(first[0], dict)
    assert isinstance(first[1], dict)
    assert first[0]["event_id"] == "mine"
    assert first[1]["event_id"]


def test_a_shift_lands_the_last_event_in_the_hour_before_now_and_keeps_minutes(
    tmp_path: Path,
) -> None:
    source = a_csv(tmp_path)

    source.shift = shift_to_now(source, NOW)

    events = [event for _, event in source.events() if isinstance(event, dict)]
    assert [event["timestamp"] for event in events] == [
        "2026-11-20T07:15:00.000Z",
        "2026-11-20T09:05:00.000Z",
    ]


def test_a_file_of_events_is_shifted_too(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text('{"event_type": "a", "timestamp": 1767262500000}\n{"event_type": "b"}\n')
    source = EventFile(Table(path, "ndjson"))

    source.shift = shift_to_now(source, NOW)

    first, second = (event for _, event in source.events())
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert first["timestamp"] == "2026-11-20T09:15:00.000Z"
    assert "timestamp" not in second


def test_a_file_without_times_can_not_be_shifted(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text('{"event_type": "a"}\n')

    with pytest.raises(UsageProblemError, match="no row with a time"):
        shift_to_now(EventFile(Table(path, "ndjson")), NOW)


def test_a_preview_maps_every_row_and_shows_some(tmp_path: Path) -> None:
    seen = preview(a_csv(tmp_path), now=NOW)

    assert (seen.rows, dict(seen.types), seen.first_bad_row) == (3, {"seen": 2}, 3)
    assert json.dumps(seen.as_dict()["sample"][0])


def test_a_preview_stops_at_the_limit(tmp_path: Path) -> None:
    assert preview(a_csv(tmp_path), now=NOW, limit=2).rows == 2


@pytest.mark.parametrize(
    ("name", "kind"), [("rows.ndjson", "ndjson"), ("rows.jsonl.gz", "ndjson"), ("rows.txt", "csv")]
)
def test_the_format_is_told_by_the_name(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    path.write_text("")
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('event = {type = "a"}\ntimestamp = {column = "at"}')

    assert open_file(path, mapping).table.format == kind


def test_a_table_without_a_mapping_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(CSV)

    with pytest.raises(UsageProblemError, match="needs --mapping"):
        open_file(path, None)


def test_generated_traffic_is_the_same_each_time() -> None:
    plan = Plan(datetime(2026, 11, 20, 9, tzinfo=UTC), hours=4, events=200)

    once, again = list(Generated(plan).events()), list(Generated(plan).events())

    assert once == again
    assert [number for number, _ in once] == list(range(1, 201))
    assert Generated(plan).identity == Generated(plan).identity


def test_every_generated_event_is_one_that_ingest_takes() -> None:
    plan = Plan(datetime(2026, 11, 20, 9, tzinfo=UTC), hours=30, events=3_000)

    for event in generate(plan, random.Random(3)):
        checked = IngestEvent.model_validate_json(json.dumps(event))
        assert plan.starts_at <= parse_instant(event["timestamp"]) < plan.ends_at
        assert checked.event_id


def test_rows_of_the_last_hour_do_not_leave_it() -> None:
    plan = Plan(datetime(2026, 11, 20, 9, tzinfo=UTC), hours=1, events=500)

    times = [parse_instant(event["timestamp"]) for event in generate(plan, random.Random(3))]

    assert len(times) == 500
    assert max(times) < plan.ends_at
    assert max(times) > plan.ends_at - timedelta(minutes=10)
