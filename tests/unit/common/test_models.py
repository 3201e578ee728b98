from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from common.models import EnrichedEvent, IngestEvent, LakeRow, parse_instant

GOOD = {"event_type": "page_view", "user_id": "u1"}


def broken_rules(body: dict[str, Any]) -> set[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        IngestEvent.model_validate(body)
    return {(str(e["loc"][0]), e["type"]) for e in caught.value.errors(include_input=False)}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        pytest.param({"event_type": "1st"}, ("event_type", "string_pattern_mismatch"), id="digit"),
        pytest.param(
            {"event_type": "x\n"}, ("event_type", "string_pattern_mismatch"), id="newline"
        ),
        pytest.param({"event_type": "a#b"}, ("event_type", "string_pattern_mismatch"), id="hash"),
        pytest.param({"event_type": "x" * 129}, ("event_type", "string_too_long"), id="long"),
        pytest.param({"event_type": 7}, ("event_type", "string_type"), id="a number as type"),
        pytest.param({"user_id": ""}, ("user_id", "string_too_short"), id="empty user"),
        pytest.param({"user_id": "u" * 257}, ("user_id", "string_too_long"), id="long user"),
        pytest.param({"user_id": "a\x00b"}, ("user_id", "printable"), id="control character"),
        pytest.param({"user_id": 7}, ("user_id", "string_type"), id="a number as user"),
        pytest.param({"event_id": "\u2028"}, ("event_id", "printable"), id="separator in id"),
        pytest.param({"latency_ms": -1}, ("latency_ms", "greater_than_equal"), id="negative"),
        pytest.param({"latency_ms": float("inf")}, ("latency_ms", "finite_number"), id="inf"),
        pytest.param({"latency_ms": "3"}, ("latency_ms", "float_type"), id="text latency"),
        pytest.param({"latency_ms": True}, ("latency_ms", "float_type"), id="bool latency"),
        pytest.param({"is_error": 1}, ("is_error", "bool_type"), id="a number as bool"),
        pytest.param({"properties": [1]}, ("properties", "dict_type"), id="array properties"),
        pytest.param({"colour": "red"}, ("colour", "extra_forbidden"), id="unknown field"),
        pytest.param({"type": "click"}, ("type", "extra_forbidden"), id="two spellings of type"),
        pytest.param({"timestamp": 1.5}, ("timestamp", "instant_type"), id="fractional epoch"),
        pytest.param({"timestamp": True}, ("timestamp", "instant_type"), id="bool as time"),
        pytest.param({"timestamp": "2026-02-20"}, ("timestamp", "instant_format"), id="date"),
        pytest.param(
            {"timestamp": "2026-02-20T10:00:00"}, ("timestamp", "instant_format"), id="naive"
        ),
        pytest.param(
            {"timestamp": "2026-02-30T10:00:00Z"}, ("timestamp", "instant_format"), id="no such day"
        ),
        pytest.param(
            {"timestamp": "2026-02-20T10:00:00+24:00"}, ("timestamp", "instant_format"), id="zone"
        ),
        pytest.param(
            {"timestamp": "9999-12-31T23:59:59-01:00"}, ("timestamp", "instant_range"), id="y10k"
        ),
        pytest.param({"timestamp": 10**18}, ("timestamp", "instant_range"), id="huge epoch"),
        pytest.param({"timestamp": -1}, ("timestamp", "instant_range"), id="before 1970"),
        pytest.param(
            {"timestamp": "0150-01-01T00:00:00Z"}, ("timestamp", "instant_range"), id="year 150"
        ),
        pytest.param(
            {"timestamp": datetime(1970, 1, 1, tzinfo=timezone(timedelta(minutes=1)))},
            ("timestamp", "instant_range"),
            id="a datetime before 1970",
        ),
    ],
)
def test_refuses_a_field_that_breaks_its_rule(
    change: dict[str, Any], rule: tuple[str, str]
) -> None:
    assert broken_rules(GOOD | change) == {rule}


def test_requires_only_the_event_type() -> None:
    assert broken_rules({}) == {("event_type", "missing")}
    assert IngestEvent.model_validate({"event_type": "x"}).user_id is None


@pytest.mark.parametrize(
    ("alias", "field", "value"),
    [
        ("userId", "user_id", "u"),
        ("anonymousId", "anonymous_id", "a"),
        ("sessionId", "session_id", "s"),
        ("metadata", "properties", {"page": "/"}),
    ],
)
def test_accepts_the_other_spelling_of_a_field(alias: str, field: str, value: object) -> None:
    event = IngestEvent.model_validate({"event_type": "x", alias: value})

    assert getattr(event, field) == value


@pytest.mark.parametrize("alias", ["type", "action"])
def test_accepts_the_other_spellings_of_the_type(alias: str) -> None:
    assert IngestEvent.model_validate({alias: "click"}).event_type == "click"


def test_takes_null_for_every_optional_field() -> None:
    nulls = {name: None for name in IngestEvent.model_fields if name != "event_type"}

    assert IngestEvent.model_validate({"event_type": "x", **nulls}).properties is None


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        pytest.param("1970-01-01T00:00:00Z", 0, id="epoch"),
        pytest.param("1970-01-01T00:00:00.1239Z", 123, id="cut, not rounded"),
        pytest.param("1970-01-01T00:00:00.999999999Z", 999, id="nine digits, cut"),
        pytest.param("1970-01-01T01:00:00+01:00", 0, id="ahead of UTC"),
        pytest.param("1969-12-31t19:30:00.5-04:30", 500, id="behind UTC, lower case"),
    ],
)
def test_reads_rfc_3339_to_the_millisecond(text: str, milliseconds: int) -> None:
    instant = parse_instant(text)

    assert instant == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


@given(st.integers(min_value=0, max_value=253_370_764_799_999))
def test_reads_every_epoch_millisecond_exactly(epoch_ms: int) -> None:
    instant = parse_instant(epoch_ms)

    assert (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) == epoch_ms
    assert parse_instant(instant.isoformat()) == instant


def test_the_first_and_the_last_instant_of_the_range_are_taken() -> None:
    assert parse_instant("1970-01-01T00:00:00Z").year == 1970
    assert parse_instant("9998-12-31T23:59:59.999999Z").year == 9998


@given(st.one_of(st.text(max_size=40), st.integers(), st.floats(), st.none(), st.booleans()))
def test_answers_any_other_value_with_a_rule_and_never_another_error(value: object) -> None:
    try:
        outcome = parse_instant(value).tzname()
    except PydanticCustomError as error:
        outcome = error.type

    assert outcome in {"UTC", "instant_type", "instant_format", "instant_range"}


def test_an_enriched_event_survives_the_stream() -> None:
    now = datetime(2026, 2, 20, 14, 30, 0, 123_000, tzinfo=UTC)
    event = EnrichedEvent(
        event_id="e1",
        event_type="page_view",
        timestamp=now,
        properties={"price": 1.5, "tags": ["ä", None]},
        timestamp_source="client",
        received_at=now,
        ingested_at=now,
    )

    assert EnrichedEvent.model_validate_json(event.model_dump_json(exclude_none=True)) == event


def test_a_lake_row_is_an_event_its_position_and_whose_its_session_is() -> None:
    extra = set(LakeRow.model_fields) - set(EnrichedEvent.model_fields)

    assert extra == {"stream", "shard", "sequence", "line", "session_source"}
