from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain import hot
from common.domain.decode import decode_batch
from common.domain.histogram import BUCKETS, Histogram
from common.domain.hot import (
    MAX_LATENCY_BYTES,
    HotWindow,
    RecordSamples,
    Sample,
    TypeCount,
    WindowKey,
    by_window,
    counted,
    is_hot,
    not_counted,
)
from common.domain.keys import sequence_mark
from fakes.process_builders import SHARD, STREAM, a_line, a_record, an_event, sequence_of

WINDOW = WindowKey(datetime(2026, 11, 20, 10, 5, tzinfo=UTC), STREAM, SHARD)

samples = st.builds(
    Sample,
    event_type=st.sampled_from("abcde"),
    is_error=st.booleans(),
    latency_ms=st.none() | st.floats(0, 1e6),
)
records = st.lists(st.lists(samples, min_size=1, max_size=4), min_size=1, max_size=12).map(
    lambda packs: [
        RecordSamples(sequence_mark(str(number + 95)), tuple(pack))
        for number, pack in enumerate(packs)
    ]
)


@pytest.mark.parametrize(
    ("timestamp", "received_at", "hot"),
    [
        pytest.param("2026-11-20T10:59:59.999Z", "2026-11-20T10:59:59.999Z", True, id="now"),
        pytest.param("2026-11-20T11:04:00.000Z", "2026-11-20T10:59:59.999Z", True, id="future"),
        pytest.param("2026-11-20T09:00:00.000Z", "2026-11-20T10:59:59.999Z", True, id="last hour"),
        pytest.param("2026-11-20T08:59:59.999Z", "2026-11-20T10:00:00.000Z", False, id="61 min"),
        pytest.param("2026-11-20T08:59:59.999Z", "2026-11-20T09:00:00.000Z", True, id="1 ms"),
        pytest.param("2026-11-13T10:00:00.000Z", "2026-11-20T10:00:00.000Z", False, id="a week"),
    ],
)
def test_an_event_of_this_hour_or_the_last_is_hot(
    timestamp: str, received_at: str, hot: bool
) -> None:
    assert is_hot(a_line(timestamp=timestamp, received_at=received_at).event) is hot


def test_a_replayed_event_is_not_hot() -> None:
    assert not is_hot(a_line(replayed=True).event)


def test_the_keys_name_hour_window_stream_and_shard() -> None:
    assert WINDOW.pk == "HOT#2026-11-20T10"
    assert WINDOW.sk == "05#events#shardId-000000000000"


def test_a_window_expires_a_retention_after_its_start() -> None:
    assert WINDOW.expires_at_s(timedelta(days=14)) == int(
        datetime(2026, 12, 4, 10, 5, tzinfo=UTC).timestamp()
    )


def test_lines_are_grouped_by_window_and_record() -> None:
    late, early = "2026-11-20T10:09:59.999Z", "2026-11-20T10:04:59.999Z"
    batch = decode_batch(
        [
            a_record(an_event(timestamp=late), an_event(timestamp=early), at=1),
            a_record(an_event(timestamp=late), an_event(timestamp=late), at=2),
        ]
    )

    grouped = by_window(batch.lines)

    assert [key.start.minute for key in grouped] == [0, 5]
    assert [[len(record.samples) for record in same] for same in grouped.values()] == [[1], [1, 2]]


def test_records_are_ordered_by_number_and_not_by_spelling() -> None:
    shorter, longer = a_line(at=1), a_line(at=2)
    nine, ten = "9" * 55, "1" + "0" * 55
    lines = [
        type(line)(type(line.position)(STREAM, SHARD, sequence), 0, line.event, None, None)
        for line, sequence in ((longer, ten), (shorter, nine))
    ]

    [same] = by_window(lines).values()

    assert [record.mark for record in same] == [f"055{nine}", f"056{ten}"]


def test_counted_records_are_left_out_up_to_and_with_the_mark() -> None:
    three = [RecordSamples(sequence_mark(n), ()) for n in ("98", "99", "100")]

    assert not_counted(three, None) == three
    assert not_counted(three, HotWindow({}, sequence_mark("99"))) == three[2:]
    assert not_counted(three, HotWindow({}, sequence_mark("100"))) == []


def test_counts_errors_and_latencies_are_kept_per_type() -> None:
    window = counted(
        None,
        [
            RecordSamples(sequence_mark("1"), (Sample("a", False, 10.0), Sample("b", True, None))),
            RecordSamples(sequence_mark("2"), (Sample("a", True, 0.0),)),
        ],
        max_types=8,
    )

    assert window == HotWindow(
        {"a": TypeCount(2, 1, Histogram.of([10.0, 0.0]).encode()), "b": TypeCount(1, 1, None)},
        sequence_mark("2"),
    )


def test_types_over_the_cap_are_counted_together() -> None:
    names = ["a", "b", "c", "d", "a", "c"]
    window = counted(
        None,
        [RecordSamples(sequence_mark("1"), tuple(Sample(name, False, None) for name in names))],
        max_types=2,
    )

    assert {name: of.count for name, of in window.types.items()} == {"a": 2, "b": 1, "_other": 3}


@given(records, st.lists(st.integers(0, 11), max_size=4), st.integers(1, 4))
def test_a_window_does_not_depend_on_how_its_records_were_batched(
    whole: list[RecordSamples], cuts: list[int], max_types: int
) -> None:
    window: HotWindow | None = None
    edges = sorted({0, *(cut for cut in cuts if cut < len(whole)), len(whole)})

    for begin, end in pairwise(edges):
        window = counted(window, whole[begin:end], max_types=max_types)

    assert window == counted(None, whole, max_types=max_types)


@given(records, st.lists(st.integers(0, 11), max_size=4), st.integers(0, 60))
def test_a_window_that_gets_full_does_not_depend_on_how_its_records_were_batched(
    whole: list[RecordSamples], cuts: list[int], limit: int
) -> None:
    window: HotWindow | None = None
    edges = sorted({0, *(cut for cut in cuts if cut < len(whole)), len(whole)})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hot, "MAX_LATENCY_BYTES", limit)
        for begin, end in pairwise(edges):
            window = counted(window, whole[begin:end], max_types=3)
        one_by_one: HotWindow | None = None
        for record in whole:
            one_by_one = counted(one_by_one, [record], max_types=3)
        together = counted(None, whole, max_types=3)

    assert window == one_by_one == together
    unbounded = counted(None, whole, max_types=3)
    assert {n: (of.count, of.errors) for n, of in together.types.items()} == {
        n: (of.count, of.errors) for n, of in unbounded.types.items()
    }
    assert latency_bytes(together) < limit + 6


@given(st.lists(st.floats(0, 1e9), max_size=300))
def test_a_histogram_never_gets_shorter(values_ms: list[float]) -> None:
    sizes = [len(Histogram.of(values_ms[:n]).encode()) for n in range(len(values_ms) + 1)]

    assert sizes == sorted(sizes)


def latency_bytes(window: HotWindow) -> int:
    return sum(len(of.latency or b"") for of in window.types.values())


def test_a_full_window_counts_on_without_latencies() -> None:
    full = Histogram(0, dict.fromkeys(range(BUCKETS), 2**14)).encode()
    names = [f"t{n}" for n in range(-(-MAX_LATENCY_BYTES // len(full)))]
    before = HotWindow(dict.fromkeys(names, TypeCount(5, 0, full)), sequence_mark("1"))
    samples = (Sample("t0", True, 3.5), Sample("new", False, 3.5))

    after = counted(before, [RecordSamples(sequence_mark("2"), samples)], max_types=200)

    assert after.types["t0"] == TypeCount(6, 1, full)
    assert after.types["new"] == TypeCount(1, 0, None)


@given(records)
def test_counting_leaves_the_stored_window_as_it_was(whole: list[RecordSamples]) -> None:
    before = HotWindow({"a": TypeCount(1, 0, Histogram.of([5.0]).encode())}, sequence_mark("1"))

    counted(before, whole, max_types=2)

    assert before.types == {"a": TypeCount(1, 0, Histogram.of([5.0]).encode())}


def test_sequence_numbers_of_real_length_make_marks() -> None:
    [[record]] = by_window([a_line()]).values()

    assert record.mark == f"056{sequence_of(0)}"
