from __future__ import annotations

import base64
import doctest
import importlib
import json
import pkgutil
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import eventstream.replay
from common.config import IngestConfig
from common.domain.bad_lines import BadLine, Position
from common.domain.keys import quarantine_key
from common.errors import FieldError
from eventstream.local.batches import RETRIES_EXHAUSTED, Batch
from eventstream.local.on_failure import FailureBucket, LastCall
from eventstream.replay.editing import judged, read_file, spell
from eventstream.replay.failed import read_failed
from eventstream.replay.judging import MAX_LINE_BYTES, Place, Ready, Rejudge
from eventstream.replay.kept import Kept, Listed, UnreadableObjectError, read_kept
from eventstream.replay.printable import dumps, printable
from fakes.ingest_settings import INGEST_SETTINGS
from fakes.process_builders import SHARD, STREAM, an_event, sequence_of
from unit.local.streams import a_record as a_stream_record

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PLACE = Place(Position(STREAM, SHARD, sequence_of(0)), 0, NOON)
REJUDGE = Rejudge(IngestConfig.from_env(INGEST_SETTINGS))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def kept(raw: bytes) -> Kept:
    bad = BadLine(PLACE.position, 0, "json_invalid", None, NOON, raw)
    key = quarantine_key(STREAM, SHARD, sequence_of(0), 0)
    return read_kept(Listed(key, len(raw), NOON), bad.as_json())


def a_rejection(message: dict[str, Any], **why: Any) -> bytes:
    told = {"rule": "r", "field": "f", "message": "m", "surface": "segment", "source": "k"} | why
    return json.dumps({"rejected": told, "raw": json.dumps(message)}).encode()


@pytest.mark.parametrize(
    "name", [each.name for each in pkgutil.iter_modules(eventstream.replay.__path__)]
)
def test_the_examples_of_the_docstrings_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"eventstream.replay.{name}")).failed == 0


@given(st.text(st.characters()))
def test_no_text_is_printed_with_a_character_that_a_terminal_obeys(text: str) -> None:
    assert printable(text).isprintable()
    assert len(printable(text, 10)) <= 100


@given(JSON)
def test_a_line_of_an_export_is_printable_and_loses_nothing(value: Any) -> None:
    assert dumps(value).isprintable()
    assert json.loads(dumps(value)) == value


@given(
    st.binary()
    | st.text().map(str.encode)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(st.text(), JSON).map(lambda one: json.dumps(an_event() | one).encode())
    | st.dictionaries(st.text(), JSON).map(a_rejection)
)
def test_a_line_that_is_exported_and_not_changed_is_judged_as_it_lies_there(raw: bytes) -> None:
    raw = raw.replace(b"\n", b" ")
    one = kept(raw)
    [mended] = read_file([spell(one, 0, raw, None)], "file")

    assert judged(mended, one, raw, PLACE, REJUDGE) == REJUDGE.line(raw, PLACE)


@pytest.mark.parametrize("change", [(1, True), (1, 1.0), (0, False)])
def test_a_change_that_python_takes_for_none_is_one(change: tuple[Any, Any]) -> None:
    was, becomes = change
    raw = json.dumps(an_event(is_error=True, properties={"n": was})).encode()
    one = kept(raw)
    text = json.loads(spell(one, 0, raw, None))
    text["event"]["properties"]["n"] = becomes
    [mended] = read_file([json.dumps(text)], "file")

    ready = judged(mended, one, raw, PLACE, REJUDGE)

    assert isinstance(ready, Ready)
    assert repr(json.loads(ready.data)["properties"]["n"]) == repr(becomes)


def test_an_event_without_an_id_gets_the_same_one_each_time() -> None:
    raw = a_rejection({"type": "track", "event": "x", "userId": "u"})
    other = Place(PLACE.position, 1, NOON)

    first, second = REJUDGE.line(raw, PLACE), REJUDGE.line(raw, PLACE)
    third = REJUDGE.line(raw, other)

    assert isinstance(first, Ready)
    assert isinstance(third, Ready)
    assert first == second
    assert first.event_id != third.event_id


def test_a_message_of_a_path_that_names_its_kind_needs_no_type() -> None:
    message = {"event": "x", "userId": "u"}

    assert isinstance(REJUDGE.line(a_rejection(message, kind="track"), PLACE), Ready)
    without = REJUDGE.line(a_rejection(message), PLACE)
    assert isinstance(without, FieldError)
    assert (without.field, without.rule) == ("type", "missing")


def test_a_message_of_an_amplitude_library_is_judged_as_one() -> None:
    message = {"event_type": "buy", "user_id": "u", "insert_id": "i-1", "time": 1795176000000}

    ready = REJUDGE.line(a_rejection(message, surface="amplitude"), PLACE)

    assert isinstance(ready, Ready)
    assert (ready.event_id, ready.event_type) == ("i-1", "buy")


def test_an_event_that_its_flag_makes_too_large_for_a_record_is_told() -> None:
    event = an_event(properties={"x": "y" * (MAX_LINE_BYTES - 300)})
    fits = REJUDGE.line(json.dumps(event).encode(), PLACE)
    event["properties"]["x"] += "y" * 100

    error = REJUDGE.line(json.dumps(event).encode(), PLACE)

    assert isinstance(fits, Ready)
    assert isinstance(error, FieldError)
    assert error.rule == "too_large"


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b'{"stream":1}', b"[" * 100_000])
def test_an_object_of_something_else_is_named(body: bytes) -> None:
    with pytest.raises(UnreadableObjectError, match="quarantine/x is no object"):
        read_kept(Listed("quarantine/x", 1, NOON), body)


def test_the_control_of_the_key_keeps_it_printable() -> None:
    error = UnreadableObjectError("quarantine/\x1b[2J", "is none")

    assert str(error).isprintable()


def test_a_line_in_base64_that_is_none_is_told() -> None:
    raw = b"\xff"
    one = kept(raw)
    item = json.loads(spell(one, 0, raw, None))
    assert item["base64"] == base64.b64encode(raw).decode()
    [mended] = read_file([json.dumps(item | {"base64": "?"})], "file")

    error = judged(mended, one, raw, PLACE, REJUDGE)

    assert isinstance(error, FieldError)
    assert error.rule == "not_readable"


def test_what_the_local_poller_gives_up_is_read_as_what_lambda_does() -> None:
    batch = Batch((a_stream_record(1, 1795166100.5), a_stream_record(2, 1795166101.25)), attempts=3)
    bucket = FailureBucket(None, "b", "m", "arn:f", f"arn:aws:kinesis:::stream/{STREAM}")
    body = bucket.body(SHARD, batch, RETRIES_EXHAUSTED, LastCall("r", "Unhandled"), NOON)

    failed = read_failed(Listed("aws/lambda/m/s/x", 1, NOON), json.dumps(body).encode())

    assert (failed.condition, failed.invocations) == ("RetryAttemptsExhausted", 3)
    assert (failed.error, failed.stream, failed.shard) == ("Unhandled", STREAM, SHARD)
    assert (failed.at, failed.batch_size) == (NOON, 2)
    assert failed.records is not None
    assert len(failed.records) == 2
