from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import FieldError
from common.models import IngestEvent
from ingest.validation import FIELD_OF, MAX_ERRORS_PER_EVENT, usable_id, validate


def errors_of(raw: object, event_type: str | None = None) -> list[tuple[str, str]]:
    found = validate(raw, event_type)
    assert not isinstance(found, IngestEvent)
    return [(each.field, each.rule) for each in found]


def event_of(raw: object, event_type: str | None = None) -> IngestEvent:
    found = validate(raw, event_type)
    assert isinstance(found, IngestEvent), found
    return found


@pytest.mark.parametrize(
    ("change", "field", "rule", "message"),
    [
        ({"event_type": None}, "event_type", "wrong_type", "event_type must be text"),
        ({"event_type": 7}, "event_type", "wrong_type", "event_type must be text"),
        (
            {"event_type": "1st"},
            "event_type",
            "bad_format",
            "event_type must start with a letter and hold only letters, digits,"
            " '_', '.', ':', '-' and spaces",
        ),
        (
            {"event_type": "x" * 129},
            "event_type",
            "too_long",
            "event_type must have at most 128 characters",
        ),
        ({"userId": 5}, "userId", "wrong_type", "userId must be text"),
        (
            {"user_id": ""},
            "user_id",
            "too_short",
            "user_id must not be empty; leave it out instead",
        ),
        (
            {"session_id": "s" * 257},
            "session_id",
            "too_long",
            "session_id must have at most 256 characters",
        ),
        (
            {"anonymousId": "a\nb"},
            "anonymousId",
            "not_printable",
            "anonymousId must hold printable characters only",
        ),
        ({"latency_ms": "3"}, "latency_ms", "wrong_type", "latency_ms must be a number"),
        ({"latency_ms": -1}, "latency_ms", "out_of_range", "latency_ms must be 0 or more"),
        (
            {"latency_ms": float("inf")},
            "latency_ms",
            "not_finite",
            "latency_ms must be a finite number; NaN and Infinity are not JSON",
        ),
        ({"is_error": 1}, "is_error", "wrong_type", "is_error must be true or false"),
        ({"metadata": []}, "metadata", "wrong_type", "metadata must be a JSON object"),
        ({"context": "x"}, "context", "wrong_type", "context must be a JSON object"),
        (
            {"timestamp": 1.5},
            "timestamp",
            "wrong_type",
            "timestamp: must be RFC 3339 text with a zone, or whole epoch milliseconds",
        ),
        (
            {"sentAt": "2026-02-20T10:00:00"},
            "sentAt",
            "bad_format",
            "sentAt: must be RFC 3339 with a zone, like 2026-02-20T14:30:00Z",
        ),
        (
            {"timestamp": "9999-12-31T23:59:59-01:00"},
            "timestamp",
            "out_of_range",
            "timestamp: must lie in the years 1970..9998",
        ),
        (
            {"timestamp": None, "sentAt": "1969-12-31T23:59:59.999Z"},
            "sentAt",
            "out_of_range",
            "sentAt: must lie in the years 1970..9998",
        ),
        (
            {"timestamp": "9999-01-01T00:00:00Z"},
            "timestamp",
            "out_of_range",
            "timestamp: must lie in the years 1970..9998",
        ),
        (
            {"colour": "red"},
            "colour",
            "unknown_field",
            "colour is not a field of an event; put fields of your own into properties",
        ),
        (
            {"type": "click"},
            "type",
            "duplicate_field",
            "type and event_type or action mean the same field; send one of them",
        ),
    ],
)
def test_says_what_is_wrong_in_the_clients_own_words(
    change: dict[str, Any], field: str, rule: str, message: str
) -> None:
    found = validate({"event_type": "x"} | change)

    assert not isinstance(found, IngestEvent)
    assert list(found) == [FieldError(field, rule, message)]


def test_says_that_the_type_is_required() -> None:
    assert validate({}) == (FieldError("event_type", "missing", "event_type is required"),)


def test_tells_every_error_of_an_event_up_to_a_bound() -> None:
    many = {f"field{n}": 1 for n in range(500)}

    assert errors_of({"user_id": 5, "latency_ms": -1}) == [
        ("event_type", "missing"),
        ("user_id", "wrong_type"),
        ("latency_ms", "out_of_range"),
    ]
    assert len(errors_of(many)) == MAX_ERRORS_PER_EVENT


@pytest.mark.parametrize("raw", [None, 7, "x", [], [{"event_type": "x"}], True])
def test_an_event_is_an_object(raw: object) -> None:
    assert errors_of(raw) == [("event", "wrong_type")]


def test_passes_on_the_error_that_kept_an_event_from_being_decoded() -> None:
    error = FieldError("data", "bad_json", "the data is not valid JSON")

    assert validate(error) == (error,)


def test_knows_every_name_a_client_may_use() -> None:
    assert set(FIELD_OF.values()) == set(IngestEvent.model_fields)
    assert FIELD_OF["userId"] == "user_id"
    assert FIELD_OF["metadata"] == "properties"
    assert FIELD_OF["latency_ms"] == "latency_ms"


def test_with_a_type_in_the_path_free_fields_become_properties() -> None:
    event = event_of(
        {"order_id": "O-1", "items": [1], "user_id": "u", "properties": {"a": 1}}, "orders"
    )

    assert event.event_type == "orders"
    assert event.user_id == "u"
    assert event.properties == {"order_id": "O-1", "items": [1], "a": 1}


def test_the_type_in_the_path_wins_and_the_bodys_is_kept_as_a_property() -> None:
    event = event_of({"type": "created", "action": "pay", "metadata": {"a": 1}}, "orders")

    assert event.event_type == "orders"
    assert event.properties == {"type": "created", "action": "pay", "a": 1}


def test_the_same_type_in_path_and_body_is_said_once() -> None:
    assert event_of({"event_type": "orders"}, "orders").properties is None
    assert event_of({"event_type": "other"}, "orders").properties == {"event_type": "other"}


def test_a_field_at_the_top_and_in_properties_is_refused_rather_than_lost() -> None:
    assert errors_of({"sku": 1, "properties": {"sku": 2}}, "orders") == [("sku", "duplicate_field")]


def test_with_a_type_in_the_path_known_fields_keep_their_rules() -> None:
    assert errors_of({"user_id": 5, "sku": 1}, "orders") == [("user_id", "wrong_type")]
    assert errors_of({"properties": 5, "sku": 1}, "orders")[0] == ("properties", "wrong_type")
    assert errors_of({"properties": {}, "metadata": {}}, "orders") == [
        ("metadata", "duplicate_field")
    ]
    assert event_of({"properties": None, "sku": 1}, "orders").properties == {"sku": 1}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"event_id": "e1"}, "e1"),
        ({"event_id": ""}, None),
        ({"event_id": "e" * 129}, None),
        ({"event_id": "a\nb"}, None),
        ({"event_id": 7}, None),
        ({}, None),
        (7, None),
    ],
)
def test_a_rejected_event_is_named_by_its_own_id_if_that_is_usable(
    raw: object, expected: str | None
) -> None:
    assert usable_id(raw) == expected


NAMES = st.sampled_from([*FIELD_OF, "colour", "", "a\nb"])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=10),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
    st.just("2026-02-20T10:00:00Z"),
)


@given(st.dictionaries(NAMES, VALUES), st.sampled_from([None, "orders"]))
def test_answers_any_object_with_an_event_or_errors_without_its_values(
    raw: dict[str, Any], event_type: str | None
) -> None:
    found = validate({**raw, "context": {"secret": "s3cret"}}, event_type)

    if not isinstance(found, IngestEvent):
        said = json.dumps([each.as_dict() for each in found])
        assert found
        assert "s3cret" not in said
