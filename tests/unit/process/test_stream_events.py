from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

from common.domain.enrich import Arrival, Enricher, EventTime, TimeLimits, event_time
from common.domain.stream_events import EventReader, StreamEvent, StreamEventModel, read_any
from common.domain.structs import parts_of
from common.errors import PoisonLineError
from common.models import EnrichedEvent, IngestEvent
from fakes.process_builders import an_event

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
    sent_at="2026-11-20T10:06:31Z",
    replayed=True,
    event_schema="purchase/2",
)


def _plain(line: bytes) -> StreamEvent | None:
    return EventReader().read_plain(line)


def _is_as_the_model_reads_it(line: bytes, plain: StreamEvent | None) -> bool:
    """Say whether a line that was read plainly is an event to the model too, and the same one."""
    if plain is None:
        return True
    try:
        # By their spelling: to Python, 1 is 1.0 and True, 0.0 is -0.0, and zones make no odds.
        return repr(read_any(line)) == repr(plain)
    except PoisonLineError:
        return False


def _compact(event: dict[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize("event", [an_event(), FULL, an_event(properties={}, context={})])
def test_a_line_as_ingest_writes_it_is_read_plainly(event: dict[str, Any]) -> None:
    line = _compact(event)

    assert _plain(line) == read_any(line)


def test_what_ingest_makes_of_an_event_is_read_plainly() -> None:
    now = datetime(2026, 11, 20, 10, 6, 31, 4_005, tzinfo=UTC)
    sent = {
        "event_type": "page_view",
        "user_id": "ü-1",
        "timestamp": "2026-11-20T10:06:30.123Z",
        "latency_ms": 12,
        "properties": {"page": "/a?b=%20", "price": 17.19, "n": [1, 2.5, "\t\u2028"]},
        "context": {"locale": "de-CH", "campaign": {"source": "é"}},
    }
    event = IngestEvent.model_validate(sent)
    at = event_time(event, now, TimeLimits(168, 5))
    assert isinstance(at, EventTime)
    line = Enricher(Arrival(now, now, "public", frozenset())).line(event, "id", at)

    assert _plain(line) is not None
    assert _is_as_the_model_reads_it(line, _plain(line))


def test_an_event_has_the_fields_of_the_model() -> None:
    assert set(StreamEvent.__struct_fields__) == set(EnrichedEvent.model_fields)


def _with(text: str, **changes: object) -> bytes:
    """Return a line with the word NUM, in quotes or not, put into some text's place."""
    return _compact(an_event(**changes)).replace(b'"NUM"', text.encode())


DOUBTFUL = {
    "nanoseconds that round up": _with("", timestamp="2026-11-20T10:06:30.123456789Z"),
    "nanoseconds that round to another year": _with("", sent_at="1969-12-31T23:59:59.9999999Z"),
    "an exponent in Pythons spelling": _with("1e+16", properties={"a": "NUM"}),
    "an exponent without sign": _with("1e16", properties={"a": "NUM"}),
    "a small number": _with("0.00001", properties={"a": "NUM"}),
    "a number with a zero too many": _with("1.50", properties={"a": "NUM"}),
    "a negative zero": _with("-0", properties={"a": "NUM"}),
    "properties twice, the first no text": b'{"properties":{"a":"\xff"},'
    + _compact(an_event())[1:],
    "context twice, the first deep": b'{"context":'
    + b"[" * 900
    + b"]" * 900
    + b","
    + _compact(an_event(context={}))[1:],
    "context twice, once escaped": b'{"conte\\u0078t":{"a":'
    + b"9" * 5_000
    + b"},"
    + _compact(an_event(context={}))[1:],
    "a field twice in an object": _with('{"b":1,"b":2}', properties={"a": "NUM"}),
    "a space in an object": _with('{"b": 1}', properties={"a": "NUM"}),
    "an escaped letter": _with('"\\u0061"', properties={"a": "NUM"}),
    "an escaped slash": _with('"\\/"', context={"a": "NUM"}),
    "deep properties": _with("[" * 150 + "]" * 150, properties={"a": "NUM"}),
    "too deep properties": _with("[" * 5_000 + "]" * 5_000, properties={"a": "NUM"}),
    "an unknown field": _compact(an_event(of_a_later_version=1)),
    "an unknown field with no JSON": _with("[NaN]", of_a_later_version="NUM"),
    "a number as text": _compact(an_event(latency_ms="12.5")),
    "a truth value as text": _compact(an_event(is_error="true")),
    "epoch milliseconds": _compact(an_event(timestamp=1_795_169_190_000)),
    "a zone": _compact(an_event(timestamp="2026-11-20T12:06:30.123456+02:00")),
}
"""Lines that another decoder might take in another way than the model does."""


@pytest.mark.parametrize("line", DOUBTFUL.values(), ids=DOUBTFUL)
def test_a_line_that_leaves_doubt_is_left_to_the_model(line: bytes) -> None:
    assert _plain(line) is None


def _naive(line: bytes) -> StreamEvent | None:
    """Read a line as msgspec does by itself: with its own instants, objects as it spells them."""
    own = {datetime: datetime, dict: dict[str, Any]}
    fields = [
        (name, own[part.kind] | None if part.kind in own else part.annotation, part.default)
        for name, part in parts_of(StreamEventModel).items()
    ]
    loose = msgspec.defstruct("StreamEvent", fields, kw_only=True)
    event = msgspec.json.decode(line, type=loose)
    for name in ("properties", "context"):
        if (value := getattr(event, name)) is not None:
            setattr(event, name, msgspec.json.encode(value).decode())
    return event


@pytest.mark.parametrize(
    "why",
    [
        "nanoseconds that round up",
        "nanoseconds that round to another year",
        "an exponent without sign",
        "a small number",
    ],
)
def test_a_decoder_that_doubts_nothing_is_found_out(why: str) -> None:
    line = DOUBTFUL[why]

    assert not _is_as_the_model_reads_it(line, _naive(line))


texts = st.text(max_size=12) | st.sampled_from(["\x00", "\x7f", "\u2028", "\U0001f600", '"\\/\b\f'])
numbers = (
    st.integers()
    | st.sampled_from([2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**400])
    | st.floats()
    | st.sampled_from([1e16, 1e-5, 1e22, 123456789012345680.0, 5e-324, -0.0, 0.1 + 0.2])
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)
objects = st.dictionaries(texts, values, max_size=5)
instants = st.one_of(
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).flatmap(  # noqa: DTZ001 - zones below
        lambda at: st.sampled_from(
            [
                at.isoformat() + zone
                for zone in ("Z", "z", "", "+00:00", "-00:00", "+02:00", "-23:59", "+24:00", "+02")
            ]
        )
    ),
    st.from_regex(
        r"(19|20|00|99)\d\d-[01]\d-[0-3]\d[Tt _][0-2]\d:[0-6]\d(:[0-6]\d([.,]\d{0,12})?)?"
        r"(Z|z|[+-]\d\d:?\d\d)?",
        fullmatch=True,
    ),
    st.sampled_from(
        [
            "2016-12-31T23:59:60Z",
            "2026-02-29T00:00:00Z",
            "2026-W47-5T15:58:21.184000Z",
            "20261120T155821Z",
            "1795169190",
            "9998-12-31T23:59:59.999999Z",
            "9999-01-01T00:00:00Z",
            "1970-01-01T00:00:00Z",
            "1969-12-31T23:59:59.999999Z",
            "",
        ]
    ),
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "event_id": texts | values,
        "event_type": st.sampled_from(["page_view", "a b", "a\n", "a#b", "_other", "é", "a" * 129]),
        **dict.fromkeys(
            ["timestamp", "original_timestamp", "sent_at", "received_at", "ingested_at"],
            instants | st.none() | numbers | values,
        ),
        **dict.fromkeys(["user_id", "anonymous_id", "session_id", "source"], texts | values),
        "latency_ms": numbers | texts | values,
        **dict.fromkeys(["is_error", "replayed", "is_bot"], st.booleans() | values),
        **dict.fromkeys(["properties", "context"], objects | values),
        "timestamp_source": st.sampled_from(["client", "received", "other"]) | values,
        "schema_version": st.integers(-1, 2**31) | numbers | values,
        "of_a_later_version": values,
    },
)


def _spelled(event: dict[str, Any], how: str) -> bytes:
    """Spell an event as JSON, or nearly."""
    if how == "pydantic":
        return to_json(event, inf_nan_mode="constants")
    if how == "ascii":
        return json.dumps(event).encode()
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode(
        errors="surrogatepass"
    )


def _changed(line: bytes, change: tuple[str, int, bytes]) -> bytes:
    """Change some bytes of a line, or say one of its fields again."""
    how, at, some = change
    at %= len(line)
    if how == "again":
        return line[:-1] + b"," + some + b"}"
    if how == "cut":
        return line[:at]
    return line[:at] + some + line[at + (how == "replace") :]


pieces = st.sampled_from(
    [
        b"0",
        b"1e5",
        b".5",
        b"E",
        b"-",
        b" ",
        b"\t",
        b"\\",
        b'"',
        b",",
        b"{",
        b"}",
        b"\\ud800",
        b"\xff",
    ]
)
again = st.tuples(
    st.sampled_from(sorted(FULL)),
    st.sampled_from([b'"x"', b"1", b"null", b"true", b"{}", b'{"a":1}', b'"2026-11-20T10:06:30Z"']),
).map(lambda pair: b'"' + pair[0].encode() + b'":' + pair[1])
changes = st.lists(
    st.tuples(st.sampled_from(["insert", "replace", "cut"]), st.integers(0, 5_000), pieces)
    | st.tuples(st.just("again"), st.just(0), again),
    max_size=2,
)


@settings(max_examples=400)
@given(
    st.sampled_from([an_event(), FULL]),
    fields,
    st.sampled_from(["compact", "pydantic", "ascii"]),
    changes,
)
@example(FULL, {}, "compact", [("again", 0, b'"properties":{"a":1}')])
@example(FULL, {"latency_ms": 10**400}, "compact", [])
@example(FULL, {"properties": {"a": 10**5_000}}, "compact", [])
def test_what_is_read_plainly_is_what_the_model_reads(
    base: dict[str, Any], changed: dict[str, Any], how: str, mutations: list[tuple[str, int, bytes]]
) -> None:
    try:
        line = _spelled(base | changed, how)
    except ValueError:  # text that no UTF-8 can hold, or a number that Python will not spell
        return
    for mutation in mutations:
        line = _changed(line, mutation) or b"{"

    assert _is_as_the_model_reads_it(line, _plain(line))


@settings(max_examples=200)
@given(objects)
def test_compact_json_is_kept_to_the_byte_or_left_to_the_model(value: dict[str, Any]) -> None:
    try:
        line = _compact(an_event(properties=value))
    except UnicodeEncodeError:
        return

    assert _is_as_the_model_reads_it(line, _plain(line))


def test_every_character_is_spelled_as_python_spells_it() -> None:
    characters = [chr(code) for code in range(0x20, 0x11000) if not 0xD800 <= code < 0xE000]
    line = _compact(an_event(properties={"all": "".join(["\t\n\r", *characters])}))

    assert _plain(line) is not None
    assert _is_as_the_model_reads_it(line, _plain(line))


def test_an_endless_nesting_is_no_end_of_the_process() -> None:
    line = _with("[" * 1_000_000, properties={"a": "NUM"})

    assert _plain(line) is None


def test_instants_of_equal_text_are_one_object_for_as_long_as_a_batch() -> None:
    line, reader = _compact(an_event()), EventReader()
    first, second = reader.read_plain(line), reader.read_plain(line)

    assert first is not None
    assert second is not None
    assert first.timestamp is second.timestamp


def test_the_decoder_asks_of_each_field_what_the_model_asks() -> None:
    parts = parts_of(StreamEventModel)

    assert list(parts) == list(StreamEventModel.model_fields)
    assert {name for name, part in parts.items() if part.default is msgspec.NODEFAULT} == {
        name for name, field in StreamEventModel.model_fields.items() if field.is_required()
    }
