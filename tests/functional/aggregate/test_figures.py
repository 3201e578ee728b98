"""The figures of an hour, by DuckDB over Parquet files that the real writer wrote."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aggregate import figures, lake_table
from aggregate.figures import Figures, HourFigures, compute
from aggregate.lake_hour import LakeHours
from common.adapters.parquet import encode
from common.domain.decode import StreamLine
from common.domain.keys import lake_key
from common.domain.windows import HOUR
from common.errors import StoreError
from fakes.aggregate_builders import NINE, a_line
from fakes.lake_reader import MemoryLakeReader


def figures_of(
    *objects: Sequence[StreamLine], known: Mapping[str, datetime] | None = None
) -> HourFigures:
    lake = MemoryLakeReader()
    for n, lines in enumerate(objects):
        lake.objects[lake_key(NINE, "stream", "shard", str(n), str(n))] = encode(lines)
    return LakeHours(lake, memory_mb=128)(NINE, known or {})


def test_an_hour_adds_up_by_type_and_in_all() -> None:
    found = figures_of(
        [
            a_line("1", user_id="u1", latency_ms=10.0),
            a_line("2", user_id="u1", latency_ms=20.0, is_error=True),
            a_line("3", event_type="view", user_id="u2"),
        ],
        [a_line("4", event_type="view", user_id="u1", latency_ms=40.0)],
    )

    assert found.types == {
        "click": Figures(2, 1, 1, 2, 15.0, 19.0, 19.5, 19.9),
        "view": Figures(2, 0, 2, 1, 40.0, 40.0, 40.0, 40.0),
    }
    assert found.total == Figures(4, 1, 2, 3, 20.0, 36.0, 38.0, 39.6)
    assert (found.rows, found.objects) == (4, 2)


def test_an_hour_without_objects_is_empty() -> None:
    assert figures_of() == HourFigures()


def test_a_copy_in_another_object_counts_once() -> None:
    found = figures_of([a_line("1"), a_line("2")], [a_line("2"), a_line("3"), a_line("3")])

    assert (found.total.count, found.rows) == (3, 5)


def test_the_same_id_from_another_source_is_another_event() -> None:
    assert figures_of([a_line("1", source="a"), a_line("1", source="b")]).total.count == 2


def test_the_copy_that_was_received_first_counts() -> None:
    late = a_line("1", event_type="late", received_at=NINE + timedelta(minutes=9))
    early = a_line("1", event_type="early", received_at=NINE + timedelta(minutes=8))

    assert figures_of([late], [early]).types.keys() == {"early"}
    assert figures_of([early], [late]).types.keys() == {"early"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({"stream": "a", "sequence": 9}, {"stream": "b", "sequence": 1}, id="stream"),
        pytest.param({"shard": "a", "sequence": 9}, {"shard": "b", "sequence": 1}, id="shard"),
        pytest.param({"sequence": 9}, {"sequence": 10}, id="sequence, as a number"),
        pytest.param({"line": 2}, {"line": 10}, id="line"),
    ],
)
def test_copies_received_at_once_fall_by_their_place_in_the_stream(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    one, other = a_line("1", event_type="first", **first), a_line("1", **second)

    assert figures_of([one], [other]).types.keys() == {"first"}
    assert figures_of([other], [one]).types.keys() == {"first"}


def test_a_user_is_known_by_user_id_else_by_anonymous_id_else_not() -> None:
    found = figures_of(
        [
            a_line("1", user_id="x", anonymous_id="a"),
            a_line("2", user_id="x", anonymous_id="b"),
            a_line("3", anonymous_id="c"),
            a_line("4", anonymous_id="x"),
            a_line("5"),
        ]
    )

    assert found.total.unique_users == 2
    assert found.types["click"].unique_users == 2


def test_a_user_of_two_types_is_one_user_of_all() -> None:
    found = figures_of([a_line("1", user_id="u"), a_line("2", user_id="u", event_type="view")])

    assert [each.unique_users for each in found.types.values()] == [1, 1]
    assert found.total.unique_users == 1


@pytest.mark.parametrize("latency", [1e300, 1e12 + 1])
def test_an_absurd_latency_cannot_break_the_arithmetic(latency: float) -> None:
    found = figures_of([a_line("1", latency_ms=latency)])

    assert found.total.latency_p99 == lake_table.MAX_LATENCY_MS


def test_made_up_types_are_added_up_and_known_types_keep_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(figures, "MAX_TYPES_PER_HOUR", 3)
    lines = [
        a_line(f"{n}-{k}", event_type=f"t{n}", user_id="u") for n in range(6) for k in range(n + 1)
    ]

    known = {"t0": NINE - 2 * HOUR, "t1": NINE - HOUR, "gone": NINE - HOUR, "t5": NINE}

    found = figures_of(lines, known=known)

    assert {name: each.count for name, each in found.types.items()} == {
        "t0": 1,
        "t1": 2,
        "t5": 6,
        "_other": 3 + 4 + 5,
    }
    assert (found.folded, found.folded_known) == (3, ())
    assert found.types["_other"].unique_users == 1
    assert found.total.count == 21


def test_of_too_many_known_types_the_oldest_keep_their_own_and_the_others_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(figures, "MAX_TYPES_PER_HOUR", 2)
    flood = [a_line(f"{n}-{k}", event_type=f"new{n}") for n in range(3) for k in range(5)]
    known = {"new0": NINE - HOUR, "new1": NINE - HOUR, "old": NINE - 9 * HOUR, "gone": NINE}

    found = figures_of([*flood, a_line("1", event_type="old")], known=known)

    assert {name: each.count for name, each in found.types.items()} == {
        "old": 1,
        "new0": 5,
        "_other": 10,
    }
    assert (found.folded, found.folded_known) == (2, ("new1",))


BROKEN = {"event_schema": "click/2", "schema_violation": "properties.total: minimum"}


def test_violations_are_counted_once_per_event_however_often_it_came() -> None:
    late = NINE + timedelta(minutes=9)

    found = figures_of(
        [a_line("1", **BROKEN), a_line("2", event_schema="click/10"), a_line("3")],
        [a_line("1", **BROKEN, received_at=late), a_line("2", **BROKEN, received_at=late)],
    )

    assert found.rows == 5
    assert found.types["click"].schema_violations == found.total.schema_violations == 1
    assert found.types["click"].schema_version == 10


def test_objects_from_before_schemas_break_none() -> None:
    lake = MemoryLakeReader()
    table = pq.read_table(pa.BufferReader(encode([a_line("1")])))
    sink = pa.BufferOutputStream()
    pq.write_table(table.drop_columns(["event_schema", "schema_violation"]), sink)
    lake.objects[lake_key(NINE, "s", "s", "0", "0")] = sink.getvalue().to_pybytes()
    lake.objects[lake_key(NINE, "s", "s", "1", "1")] = encode([a_line("2", **BROKEN)])

    found = LakeHours(lake, memory_mb=128)(NINE, {})

    assert (found.total.count, found.total.schema_violations) == (2, 1)


def test_objects_of_an_older_schema_stay_readable() -> None:
    lake = MemoryLakeReader()
    old, new = encode([a_line("1", latency_ms=5.0)]), encode([a_line("2", latency_ms=7.0)])
    table = pq.read_table(pa.BufferReader(old)).drop_columns(["is_bot", "ip", "utm_term"])
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    lake.objects[lake_key(NINE, "s", "s", "0", "0")] = sink.getvalue().to_pybytes()
    lake.objects[lake_key(NINE, "s", "s", "1", "1")] = new

    found = LakeHours(lake, memory_mb=128)(NINE, {})

    assert (found.total.count, found.total.latency_p50) == (2, 6.0)


def test_a_column_that_no_object_of_a_scan_has_is_null(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_table, "OBJECTS_PER_SCAN", 1)
    lake = MemoryLakeReader()
    for n in range(3):
        table = pq.read_table(pa.BufferReader(encode([a_line(str(n), latency_ms=7.0)])))
        sink = pa.BufferOutputStream()
        pq.write_table(table.drop_columns(["latency_ms"]) if n == 0 else table, sink)
        lake.objects[lake_key(NINE, "s", "s", str(n), str(n))] = sink.getvalue().to_pybytes()

    found = LakeHours(lake, memory_mb=128)(NINE, {})

    assert (found.total.count, found.total.latency_count, found.rows) == (3, 2, 3)


_MANY_OBJECTS = """
import resource, sys
from pathlib import Path
from aggregate.figures import compute

root = Path(sys.argv[1])
objects = {file: "key" for file in sorted((root / "objects").iterdir())}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = compute(objects, root / "spill", known={}, memory_mb=64)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(found.rows, found.total.count, grown // 1024)
"""


def test_many_small_objects_take_no_more_memory_than_a_few_hundred(tmp_path: Path) -> None:
    (tmp_path / "objects").mkdir()
    (tmp_path / "spill").mkdir()
    data = encode([a_line("1"), a_line("2")])
    for n in range(5000):
        (tmp_path / "objects" / f"{n:06d}.parquet").write_bytes(data)

    # A process of its own, since the peak of this one is that of all tests before.
    run = subprocess.run(
        [sys.executable, "-c", _MANY_OBJECTS, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )

    rows, count, grown_mb = map(int, run.stdout.split())
    assert (rows, count) == (10_000, 2)
    assert grown_mb < 250  # measured: 106; in one scan: 455


def test_an_object_that_is_no_parquet_is_named() -> None:
    lake = MemoryLakeReader()
    broken = lake_key(NINE, "stream", "shard", "7", "9")
    lake.objects[lake_key(NINE, "stream", "shard", "1", "1")] = encode([a_line("1")])
    lake.objects[broken] = b"PAR1 but not for long"

    with pytest.raises(StoreError, match=f"the lake object {broken} cannot be read"):
        LakeHours(lake, memory_mb=128)(NINE, {})


def test_the_files_are_removed_whatever_happens() -> None:
    lake = MemoryLakeReader()
    read = LakeHours(lake, memory_mb=128)
    lake.objects[lake_key(NINE, "stream", "shard", "1", "1")] = encode([a_line("1")])
    read(NINE, {})
    lake.objects[lake_key(NINE, "stream", "shard", "2", "2")] = b"broken"
    with pytest.raises(StoreError):
        read(NINE, {})

    assert len(lake.directories) == 2
    assert not any(directory.parent.exists() for directory in lake.directories)


def test_an_hour_larger_than_the_memory_spills_and_is_still_exact(tmp_path: Path) -> None:
    file, scratch, events = tmp_path / "0.parquet", tmp_path / "spill", 600_000
    scratch.mkdir()
    _write_copies(file, events)

    with watching(scratch) as seen:
        found = compute({file: "key"}, scratch, known={}, memory_mb=160)

    assert seen, "nothing was spilled: the hour is too small to show anything"
    assert (found.rows, found.total.count) == (2 * events, events)
    assert found.total.unique_users == 1000


@contextmanager
def watching(directory: Path) -> Iterator[set[str]]:
    """Collect the names that are in a directory at any time meanwhile."""
    seen: set[str] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.005):
            seen.update(path.name for path in directory.iterdir())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def _write_copies(file: Path, events: int) -> None:
    """Write each of some events twice, all different, so that every one must be sorted."""
    once = """
        CREATE TABLE once AS
        SELECT uuid() || '' AS event_id, 'click' AS event_type, 'public' AS source,
        'user-' || i % 1000 AS user_id, NULL::VARCHAR AS anonymous_id, NULL::DOUBLE AS latency_ms,
        false AS is_error, TIMESTAMPTZ '2026-11-20 09:05:00+00' AS received_at, 's' AS stream,
        's' AS shard, '1' AS sequence, 0 AS line
        FROM range(?) t(i)
    """
    with duckdb.connect() as connection:
        connection.execute(once, [events])
        connection.execute(f"COPY (FROM once UNION ALL FROM once) TO '{file}' (FORMAT parquet)")


def test_a_memory_that_is_too_small_says_what_to_raise(tmp_path: Path) -> None:
    file, scratch = tmp_path / "0.parquet", tmp_path / "spill"
    scratch.mkdir()
    _write_copies(file, 200_000)

    with pytest.raises(StoreError, match="does not fit 8 MiB: raise DUCKDB_MEMORY_MB"):
        compute({file: "key"}, scratch, known={}, memory_mb=8)


IDS = st.sampled_from([f"e{n}" for n in range(12)])
NAMES = st.none() | st.sampled_from(["x", "y", "z"])
LATENCIES = st.none() | st.floats(0, 1e6, allow_nan=False)
SCHEMAS = st.sampled_from(
    [
        {},
        {"event_schema": "Order Completed/2"},
        {"event_schema": "x/10", "schema_violation": "properties.total: minimum"},
        {"event_schema": "x/9", "schema_violation": "properties: type"},
    ]
)


@st.composite
def lake_objects(draw: st.DrawFn) -> list[list[StreamLine]]:
    """Draw events that clients sent again, in objects that the stream delivered again."""
    places = st.tuples(
        st.sampled_from(["shardId-000000000000", "shardId-000000000001"]),
        st.sampled_from([9, 10, 10**55, 10**55 + 1]),
        st.integers(0, 11),
    )
    lines = [
        a_line(
            draw(IDS),
            shard=shard,
            sequence=sequence,
            line=line,
            event_type=draw(st.sampled_from(["click", "view", "Order Completed"])),
            source=draw(st.sampled_from(["public", "key"])),
            user_id=draw(NAMES),
            anonymous_id=draw(NAMES),
            latency_ms=draw(LATENCIES),
            is_error=draw(st.booleans()),
            **draw(SCHEMAS),
            received_at=NINE + timedelta(milliseconds=draw(st.integers(0, 3))),
        )
        for shard, sequence, line in draw(st.lists(places, min_size=1, max_size=24, unique=True))
    ]
    deliveries = st.lists(st.sampled_from(lines), min_size=1, max_size=12)
    return [lines, *draw(st.lists(deliveries, max_size=3))]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lake_objects())
def test_the_figures_equal_an_independent_count(objects: list[list[StreamLine]]) -> None:
    found = figures_of(*objects)
    expected = reference([line for lines in objects for line in lines])

    assert {"*": found.total, **found.types}.keys() == expected.keys()
    for name, each in {"*": found.total, **found.types}.items():
        assert asdict(each) == pytest.approx(expected[name], abs=0.0011), name


def reference(lines: list[StreamLine]) -> dict[str, dict[str, Any]]:
    """Compute the same figures the long way round."""
    first: dict[tuple[str, str], StreamLine] = {}
    for line in sorted(lines, key=_place):
        first.setdefault((line.event.source, line.event.event_id), line)
    groups: dict[str, list[StreamLine]] = defaultdict(list)
    for line in first.values():
        groups["*"].append(line)
        groups[line.event.event_type].append(line)
    figures = {name: _add_up(group) for name, group in groups.items()}
    figures["*"]["schema_version"] = None
    return figures


def _place(line: StreamLine) -> tuple[Any, ...]:
    at = line.position
    return line.event.received_at, at.stream, at.shard, int(at.sequence), line.line


def _add_up(lines: list[StreamLine]) -> dict[str, Any]:
    events = [line.event for line in lines]
    latencies = sorted(each.latency_ms for each in events if each.latency_ms is not None)
    people = {each.user_id if each.user_id is not None else each.anonymous_id for each in events}
    return {
        "count": len(events),
        "errors": sum(each.is_error for each in events),
        "unique_users": len(people - {None}),
        "latency_count": len(latencies),
        **{f"latency_p{p}": _percentile(latencies, p / 100) for p in (50, 90, 95, 99)},
        "schema_violations": sum(each.schema_violation is not None for each in events),
        "schema_version": max(
            (int(each.event_schema.split("/")[1]) for each in events if each.event_schema),
            default=None,
        ),
    }


def _percentile(values: list[float], q: float) -> float | None:
    if not values:
        return None
    at = q * (len(values) - 1)
    low = values[math.floor(at)]
    return low + (values[math.ceil(at)] - low) * (at - math.floor(at))
