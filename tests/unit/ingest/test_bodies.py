from __future__ import annotations

import json

import pytest

from common.errors import FieldError, InvalidRequestError, TooLargeError
from ingest.bodies import MAX_BODY_BYTES, MAX_EVENTS, Submission, read
from ingest.routes import Target

ANY = Target(batch=False)
BATCH = Target(batch=True)
TYPED = Target(batch=False, event_type="orders")
TYPED_BATCH = Target(batch=True, event_type="orders")
EVENT = {"event_type": "x"}


def body(document: object) -> bytes:
    return json.dumps(document).encode()


def refused(data: bytes, target: Target) -> tuple[type, str, str]:
    with pytest.raises(InvalidRequestError) as caught:
        read(data, target)
    [error] = caught.value.errors
    assert error.message == caught.value.message
    return type(caught.value), error.field, error.rule


@pytest.mark.parametrize("target", [ANY, TYPED])
def test_an_object_is_a_single_event_and_an_array_is_a_batch(target: Target) -> None:
    assert read(body(EVENT), target) == Submission([EVENT], single=True)
    assert read(body([EVENT]), target) == Submission([EVENT], single=False)


@pytest.mark.parametrize("target", [BATCH, TYPED_BATCH])
def test_a_batch_is_an_array_or_an_object_of_events(target: Target) -> None:
    assert read(body([EVENT, 7]), target) == Submission([EVENT, 7], single=False)
    assert read(body({"events": [EVENT]}), target) == Submission([EVENT], single=False)


def test_a_typed_batch_also_takes_records_of_json_text() -> None:
    records = [{"data": '{"a":1}', "partitionKey": "u1"}, {"data": "7"}]

    assert read(body({"records": records}), TYPED_BATCH).events == [{"a": 1}, 7]


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
    bad, good = read(body({"records": [record, {"data": "{}"}]}), TYPED_BATCH).events

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


def test_the_limit_on_bytes_is_exact_and_told() -> None:
    fits = b'{"a":"' + b"x" * (MAX_BODY_BYTES - 8) + b'"}'

    assert read(fits, ANY).single
    assert refused(fits + b" ", ANY) == (TooLargeError, "body", "body_too_large")
    with pytest.raises(TooLargeError, match="4194304 bytes"):
        read(fits + b" ", ANY)


@pytest.mark.parametrize("wrap", [lambda e: e, lambda e: {"events": e}])
def test_the_limit_on_events_is_exact_and_told(wrap: object) -> None:
    shape = wrap([EVENT] * MAX_EVENTS)  # type: ignore[operator]

    assert len(read(body(shape), BATCH).events) == MAX_EVENTS
    over = wrap([EVENT] * (MAX_EVENTS + 1))  # type: ignore[operator]
    assert refused(body(over), BATCH) == (TooLargeError, "body", "too_many_events")
    with pytest.raises(TooLargeError, match="5000 events"):
        read(body(over), BATCH)
