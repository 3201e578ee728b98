from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.bad_lines import MANY_BAD_LINES, MAX_BAD_LINES, BadLine, Position
from common.domain.decode import MAX_LINES, StreamBatch, decode_batch, position_of
from fakes.process_builders import SHARD, a_record, an_event, sequence_of


def _decode(*lines: dict[str, Any] | bytes) -> StreamBatch:
    return decode_batch([a_record(*lines)])


def _only_bad(batch: StreamBatch) -> BadLine:
    [bad] = batch.bad
    return bad


def test_each_line_of_a_packed_record_is_an_event_with_its_place() -> None:
    batch = decode_batch(
        [
            a_record(an_event(event_id="a"), an_event(event_id="b"), at=0),
            a_record(an_event(event_id="c"), at=1),
        ]
    )

    places = [(line.event.event_id, line.position.sequence, line.line) for line in batch.lines]
    assert places == [("a", sequence_of(0), 0), ("b", sequence_of(0), 1), ("c", sequence_of(1), 0)]
    assert batch.lines[0].position == Position("events", SHARD, sequence_of(0))


def test_instants_are_read_in_utc() -> None:
    [line] = _decode(an_event(timestamp="2026-11-20T12:06:30.123+02:00")).lines

    assert line.event.timestamp == datetime(2026, 11, 20, 10, 6, 30, 123_000, tzinfo=UTC)
    assert line.event.timestamp.tzinfo is UTC


@pytest.mark.parametrize(
    ("poison", "reason", "field"),
    [
        pytest.param(b"\xff{}", "utf8_invalid", None, id="not UTF-8"),
        pytest.param(b'{"event_id":', "json_invalid", None, id="cut short"),
        pytest.param(b"[]", "model_type", None, id="no object"),
        pytest.param(b"{}{}", "json_invalid", None, id="two documents"),
        pytest.param(b'{"a":"\\ud800"}', "json_invalid", None, id="lone surrogate"),
        pytest.param(b"[" * 100_000, "json_invalid", None, id="deep nesting"),
        pytest.param(b"\xef\xbb\xbf{}", "json_invalid", None, id="byte order mark"),
        pytest.param({"event_type": "a"}, "missing", "event_id", id="fields missing"),
        pytest.param(an_event(timestamp=None), "datetime_type", "timestamp", id="no time"),
        pytest.param(
            an_event(timestamp="2026-11-20T10:06:30"),
            "timezone_aware",
            "timestamp",
            id="naive time",
        ),
        pytest.param(
            an_event(timestamp="9999-12-31T23:59:59-01:00"),
            "instant_range",
            "timestamp",
            id="time that leaves the calendar",
        ),
        pytest.param(
            an_event(sent_at="0001-01-01T00:00:00+10:00"),
            "instant_range",
            "sent_at",
            id="time before the calendar",
        ),
        pytest.param(
            an_event(timestamp="0150-01-01T00:00:00Z"), "instant_range", "timestamp", id="year 150"
        ),
        pytest.param(
            an_event(timestamp="1969-12-31T23:59:59.999Z"),
            "instant_range",
            "timestamp",
            id="time before 1970",
        ),
        pytest.param(
            an_event(received_at="9999-01-01T00:00:00Z"),
            "instant_range",
            "received_at",
            id="receipt after 9998",
        ),
        pytest.param(
            an_event(event_type="a#b"), "string_pattern_mismatch", "event_type", id="type with #"
        ),
        pytest.param(
            an_event(event_type="a\n"), "string_pattern_mismatch", "event_type", id="type with LF"
        ),
        pytest.param(
            an_event(event_type="_other"), "string_pattern_mismatch", "event_type", id="our name"
        ),
        pytest.param(an_event(event_id=""), "string_too_short", "event_id", id="empty id"),
        pytest.param(an_event(event_id="a\x00"), "printable", "event_id", id="NUL in the id"),
        pytest.param(an_event(latency_ms=-1), "greater_than_equal", "latency_ms", id="negative"),
        pytest.param(
            json.dumps(an_event(latency_ms="NUM")).encode().replace(b'"NUM"', b"1e999"),
            "finite_number",
            "latency_ms",
            id="infinite latency",
        ),
        pytest.param(
            an_event(schema_version=2**31), "less_than_equal", "schema_version", id="33rd bit"
        ),
        pytest.param(an_event(properties=[]), "dict_type", "properties", id="properties a list"),
        pytest.param(
            json.dumps(an_event(properties={"a": ["NUM"]})).encode().replace(b'"NUM"', b"1e999"),
            "finite_number",
            "properties",
            id="infinity in properties",
        ),
        pytest.param(
            json.dumps(an_event(context={"a": "NUM"})).encode().replace(b'"NUM"', b"NaN"),
            "finite_number",
            "context",
            id="NaN in context",
        ),
    ],
)
def test_a_poison_line_is_set_apart_and_its_neighbours_are_decoded(
    poison: dict[str, Any] | bytes, reason: str, field: str | None
) -> None:
    batch = _decode(an_event(event_id="before"), poison, an_event(event_id="after"))

    assert [(line.event.event_id, line.line) for line in batch.lines] == [
        ("before", 0),
        ("after", 2),
    ]
    bad = _only_bad(batch)
    assert (bad.line, bad.reason, bad.field or None) == (1, reason, field)
    assert bad.raw == (poison if isinstance(poison, bytes) else json.dumps(poison).encode())


@pytest.mark.parametrize(
    ("data", "reason", "raw"),
    [
        pytest.param("%%%", "base64_invalid", b"%%%", id="not base64"),
        pytest.param("e30", "base64_invalid", b"e30", id="base64 cut short"),
        pytest.param("\u00e9", "base64_invalid", "\u00e9".encode(), id="not ASCII"),
        pytest.param("", "empty", b"", id="no bytes"),
        pytest.param("Cgog", "empty", b"Cgog", id="blank lines only"),
    ],
)
def test_a_record_that_cannot_be_unpacked_is_set_apart_whole(
    data: str, reason: str, raw: bytes
) -> None:
    batch = decode_batch([a_record(data=data), a_record(an_event(), at=1)])

    bad = _only_bad(batch)
    assert (bad.reason, bad.field, bad.line, bad.raw) == (reason, "data", 0, raw)
    assert len(batch.lines) == 1


def test_a_record_without_data_is_set_apart() -> None:
    record = a_record(an_event())
    del record["kinesis"]["data"]

    assert _only_bad(decode_batch([record])).reason == "missing"


def test_blank_lines_are_passed_over_and_counted() -> None:
    batch = _decode(b"", an_event(), b" \r", an_event(), b"")

    assert [line.line for line in batch.lines] == [1, 3]
    assert batch.bad == ()


def test_objects_are_kept_as_compact_json_text() -> None:
    properties = {"b": 1.50, "a": "é\u0000", "n": None, "big": 2**70, "l": [True, {}]}
    [line] = _decode(an_event(properties=properties)).lines

    assert line.properties == (
        '{"b":1.5,"a":"é\\u0000","n":null,"big":1180591620717411303424,"l":[true,{}]}'
    )
    assert line.context is None


def test_a_quarantine_object_says_where_the_line_stood_and_why() -> None:
    bad = _only_bad(_decode(an_event(), {"event_type": "a"}))

    body = json.loads(bad.as_json())
    assert base64.b64decode(body.pop("raw_base64")) == b'{"event_type": "a"}'
    assert body == {
        "reason": "missing",
        "field": "event_id",
        "stream": "events",
        "shard": SHARD,
        "sequence": sequence_of(0),
        "line": 1,
        "arrived_at": "2026-11-20T10:06:31.500Z",
    }


def test_a_quarantine_object_of_no_field_and_no_arrival_says_so() -> None:
    record = a_record(b"x")
    record["kinesis"]["approximateArrivalTimestamp"] = "yesterday"
    body = json.loads(_only_bad(decode_batch([record])).as_json())

    assert "field" not in body
    assert body["arrived_at"] is None


def test_a_quarantine_object_has_the_same_bytes_each_time() -> None:
    again = [_only_bad(_decode(b"\xff\x00 poison")).as_json() for _ in range(2)]

    assert again[0] == again[1]


def test_a_hundred_bad_lines_are_kept_one_by_one_and_one_more_as_one_record() -> None:
    each = _decode(*[b"poison"] * MAX_BAD_LINES).bad
    whole = _only_bad(_decode(*[b"poison"] * (MAX_BAD_LINES + 1)))

    assert [bad.line for bad in each] == list(range(MAX_BAD_LINES))
    assert {bad.count for bad in each} == {1}
    assert (whole.line, whole.count, whole.reason) == (0, MAX_BAD_LINES + 1, MANY_BAD_LINES)


def test_a_record_of_many_bad_lines_is_kept_whole_and_its_good_lines_are_events() -> None:
    lines = [an_event(), *[b"poison"] * 70, b"", *[{}] * 40, an_event(), b"\xff"]
    records = [a_record(*lines), a_record(b"other", at=1)]

    batch = decode_batch(records)
    whole, other = batch.bad
    body = json.loads(whole.as_json())

    assert [line.line for line in batch.lines] == [0, 112]
    assert (other.line, other.count) == (0, 1)
    packed = base64.b64decode(records[0]["kinesis"]["data"])
    assert base64.b64decode(body.pop("raw_base64")) == packed
    assert body == {
        "reason": "many_bad_lines",
        "stream": "events",
        "shard": SHARD,
        "sequence": sequence_of(0),
        "line": 1,
        "bad_lines": 111,
        "reasons": {"json_invalid": 70, "missing": 40, "utf8_invalid": 1},
        "bad_ranges": [[1, 111], [113, 113]],
        "arrived_at": "2026-11-20T10:06:31.500Z",
    }
    assert whole.as_json() == decode_batch(records).bad[0].as_json()


def test_lines_beyond_what_one_record_can_hold_are_quarantined_unread() -> None:
    whole = _only_bad(_decode(b"\n".join([b"x"] * (MAX_LINES + 7)), an_event()))

    assert whole.count == MAX_LINES + 8
    assert whole.many is not None
    assert whole.many.reasons == {"json_invalid": MAX_LINES, "too_many_lines": 8}


def test_the_largest_record_of_the_shortest_events_is_read_to_its_end() -> None:
    """Lambda hands over 6 MB at most, base64 and all."""
    shortest = an_event(event_id="1", event_type="a", timestamp=0, received_at=0, ingested_at=0)
    size = len(json.dumps(shortest, separators=(",", ":"))) + 1

    assert len(_decode(shortest).lines) == 1
    assert 6 * 1024 * 1024 * 3 / 4 / size < MAX_LINES


@pytest.mark.parametrize(
    ("arn", "stream"),
    [
        ("arn:aws:kinesis:us-east-1:123456789012:stream/my-stream", "my-stream"),
        ("arn:aws-cn:kinesis:cn-north-1:1:stream/s/consumer/fan-out:1700000000", "s"),
    ],
)
def test_the_streams_name_is_read_from_its_arn(arn: str, stream: str) -> None:
    assert position_of(a_record(an_event()) | {"eventSourceARN": arn}).stream == stream


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"eventSourceARN": "arn:aws:sqs:eu-west-1:1:queue"}, id="a queue"),
        pytest.param({"eventSourceARN": "arn:aws:dynamodb:e:1:table/t/stream/l"}, id="a table"),
        pytest.param({"eventSourceARN": None}, id="no ARN"),
        pytest.param({"eventID": "123"}, id="no shard"),
        pytest.param({"kinesis": {"sequenceNumber": "12a"}}, id="no number"),
        pytest.param({"kinesis": {}}, id="no sequence number"),
        pytest.param({"kinesis": None}, id="no record"),
    ],
)
def test_what_did_not_come_from_kinesis_is_a_bug_and_no_poison(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Kinesis"):
        decode_batch([a_record(an_event()) | changes])


@given(st.binary(max_size=80).filter(lambda raw: b"\n" not in raw and raw.strip()))
def test_any_bytes_are_decoded_or_set_apart(raw: bytes) -> None:
    batch = _decode(an_event(), raw, an_event())

    assert len(batch.lines) == 2
    assert _only_bad(batch).raw == raw


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(an_event())), json_values)
def test_any_value_in_any_field_is_decoded_or_set_apart(field: str, value: object) -> None:
    batch = _decode(json.dumps(an_event() | {field: value}).encode())

    assert len(batch.lines) + len(batch.bad) == 1


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_properties_come_through_as_they_were(properties: dict[str, Any]) -> None:
    try:
        json.dumps(properties, allow_nan=False)
    except ValueError:
        return
    [line] = _decode(an_event(properties=properties)).lines

    assert line.properties is not None
    assert json.loads(line.properties) == properties
