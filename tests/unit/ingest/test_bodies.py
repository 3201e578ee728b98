from __future__ import annotations

import json

import pytest

from common.errors import FieldError, InvalidRequestError, TooLargeError
from common.models import IngestEvent
from fakes.ingest_builders import a_request
from ingest import bodies
from ingest.bodies import MAX_EVENTS
from ingest.plain_events import PlainEvent
from ingest.routes import Target
from ingest.submission import Submission

ANY = Target("native")
BATCH = Target("native", batch=True)
TYPED = Target("native", event_type="orders")
TYPED_BATCH = Target("native", batch=True, event_type="orders")
EVENT = {"event_type": "x"}


def body(document: object) -> bytes:
    return json.dumps(document).encode()


def read(data: bytes, target: Target, **headers: str) -> Submission:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return bodies.read(data, target, a_request(data, headers=named))


def events_in(data: bytes, target: Target, **headers: str) -> list[object]:
    return [as_decoded(sent.event) for sent in read(data, target, **headers).events]


def as_decoded(event: object) -> object:
    return omitted_nulls(event) if isinstance(event, PlainEvent) else event


def omitted_nulls(event: IngestEvent) -> dict[str, object]:
    told = {name: getattr(event, name) for name in IngestEvent.model_fields}
    return {name: value for name, value in told.items() if value is not None}


def refused(data: bytes, target: Target, **headers: str) -> tuple[type, str, str]:
    with pytest.raises(InvalidRequestError) as caught:
        read(data, target, **headers)
    [error] = caught.value.errors
    assert error.message == caught.value.message
    return type(caught.value), error.field, error.rule


@pytest.mark.parametrize("target", [ANY, TYPED])
def test_an_object_is_a_single_event_and_an_array_is_a_batch(target: Target) -> None:
    assert events_in(body(EVENT), target) == events_in(body([EVENT]), target) == [EVENT]
    assert read(body(EVENT), target).single
    assert not read(body([EVENT]), target).single


@pytest.mark.parametrize("target", [BATCH, TYPED_BATCH])
def test_a_batch_is_an_array_or_an_object_of_events(target: Target) -> None:
    assert events_in(body([EVENT, 7]), target) == [EVENT, 7]
    assert events_in(body({"events": [EVENT]}), target) == [EVENT]
    assert not read(body([EVENT]), target).single


def test_a_typed_batch_also_takes_records_of_json_text() -> None:
    records = [{"data": '{"a":1}', "partitionKey": "u1"}, {"data": "7"}]

    assert events_in(body({"records": records}), TYPED_BATCH) == [{"a": 1}, 7]


@pytest.mark.parametrize(
    ("record", "field", "rule"),
    [
        pytest.param(7, "record", "wrong_type", id="no object"),
        pytest.param({}, "data", "wrong_type", id="no data"),
        pytest.param({"data": {"a": 1}}, "data", "wrong_type", id="data is no text"),
        pytest.param({"data": "{"}, "data", "bad_json", id="data is no JSON"),
        pytest.param({"data": ""}, "data", "empty", id="data is empty"),
        pytest.param({"data": "[" * 9999}, "data", "too_deep", id="data is deep"),
        pytest.param({"data": "\ud800"}, "data", "bad_encoding", id="data is no text at all"),
        pytest.param({"data": "{}", "partitionKey": 7}, "partitionKey", "wrong_type", id="key"),
        pytest.param({"data": "{}", "x": 7}, "x", "unknown_field", id="another field"),
    ],
)
def test_a_bad_record_spoils_only_itself(record: object, field: str, rule: str) -> None:
    bad, good = events_in(body({"records": [record, {"data": "{}"}]}), TYPED_BATCH)

    assert isinstance(bad, FieldError)
    assert (bad.field, bad.rule) == (field, rule)
    assert good == {}


@pytest.mark.parametrize(
    ("document", "target", "field", "rule"),
    [
        pytest.param("x", ANY, "body", "wrong_type", id="text"),
        pytest.param(7, TYPED, "body", "wrong_type", id="number"),
        pytest.param(None, BATCH, "body", "wrong_type", id="null"),
        pytest.param([], ANY, "body", "empty", id="empty array"),
        pytest.param({"events": []}, BATCH, "body", "empty", id="no events"),
        pytest.param({}, BATCH, "body", "wrong_shape", id="empty object as batch"),
        pytest.param(EVENT, BATCH, "body", "wrong_shape", id="event as batch"),
        pytest.param({"events": [1], "x": 1}, BATCH, "body", "wrong_shape", id="more than events"),
        pytest.param({"events": {}}, BATCH, "events", "wrong_type", id="events is no array"),
        pytest.param({"records": []}, BATCH, "body", "wrong_shape", id="records without a type"),
        pytest.param({"records": 7}, TYPED_BATCH, "records", "wrong_type", id="records no array"),
        pytest.param({"records": []}, TYPED_BATCH, "body", "empty", id="no records"),
    ],
)
def test_refuses_a_body_of_another_shape(
    document: object, target: Target, field: str, rule: str
) -> None:
    assert refused(body(document), target) == (InvalidRequestError, field, rule)


def test_refuses_an_object_with_a_key_twice_and_names_the_key() -> None:
    assert refused(b'{"events":[],"events":[]}', BATCH)[1:] == ("events", "duplicate_key")
    assert refused(b'{"type":"a","type":"b"}', ANY)[1:] == ("type", "duplicate_key")


LINES = b'{"event_type": "a"}\n\n{"event_type": "b"}\r\n'
"""As `curl --data-binary @file` sends them."""


@pytest.mark.parametrize("target", [ANY, BATCH, TYPED, TYPED_BATCH])
def test_several_objects_on_lines_of_their_own_are_events(target: Target) -> None:
    assert events_in(LINES, target) == [{"event_type": "a"}, {"event_type": "b"}]
    assert not read(LINES, target).single


@pytest.mark.parametrize("kind", ["application/x-ndjson; charset=utf-8", "application/jsonl"])
def test_one_line_is_a_batch_of_one_where_the_label_says_lines(kind: str) -> None:
    found = read(b'{"event_type": "a"}\n', ANY, content_type=kind)

    assert [as_decoded(sent.event) for sent in found.events] == [{"event_type": "a"}]
    assert not found.single


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        pytest.param(b'{"event_type": "b"', "bad_json", id="cut"),
        pytest.param(b'{"event_type": "\xff"}', "bad_encoding", id="not UTF-8"),
        pytest.param(b'{"a":' + b"[" * 100_000, "too_deep", id="deep"),
        pytest.param(b'{"a":1} {"a":2}', "bad_json", id="two on a line"),
        pytest.param(b'{"a":\x00}', "bad_encoding", id="NUL"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_bad_line_spoils_only_itself(line: bytes, rule: str, *, first: bool) -> None:
    lines = [line, b"{}"] if first else [b"{}", line]

    found = events_in(b"\n".join([*lines, b'{"c":1}']), ANY)

    [bad] = [each for each in found if isinstance(each, FieldError)]
    assert (bad.field, bad.rule) == ("line", rule)
    assert [each for each in found if each is not bad] == [{}, {"c": 1}]


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(b'{\n "event_type": "x",\n "properties":\n {}\n', id="object"),
        pytest.param(b'[\n{"event_type": "x"},\n{"event_type": "y"}\n', id="array"),
        pytest.param(b'{"event_type": "x"}\nnonsense', id="one object and something else"),
        pytest.param(b'{"event_type": "x"} {"event_type": "y"}', id="two on one line"),
    ],
)
def test_a_damaged_body_over_several_lines_is_not_taken_for_lines(damaged: bytes) -> None:
    assert refused(damaged, ANY)[1:] == ("body", "bad_json")


def test_a_body_of_very_many_blank_lines_is_empty() -> None:
    assert refused(b"\n" * 2**22, ANY, content_type="application/x-ndjson")[2] == "empty"


def test_the_limit_on_lines_is_that_on_events() -> None:
    assert len(read(b"{}\n" * MAX_EVENTS, ANY).events) == MAX_EVENTS
    assert refused(b"{}\n" * (MAX_EVENTS + 1), ANY) == (TooLargeError, "body", "too_many_events")


@pytest.mark.parametrize("wrap", [lambda e: e, lambda e: {"events": e}])
def test_the_limit_on_events_is_exact_and_told(wrap: object) -> None:
    shape = wrap([EVENT] * MAX_EVENTS)  # type: ignore[operator]

    assert len(read(body(shape), BATCH).events) == MAX_EVENTS
    over = wrap([EVENT] * (MAX_EVENTS + 1))  # type: ignore[operator]
    assert refused(body(over), BATCH) == (TooLargeError, "body", "too_many_events")
    with pytest.raises(TooLargeError, match="5000 events"):
        read(body(over), BATCH)
