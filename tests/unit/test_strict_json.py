from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.strict_json import (
    MAX_DEPTH,
    MAX_TEXT_BYTES,
    MAX_VALUES,
    Refused,
    decode,
    find_violation,
    shown,
)
from common.errors import FieldError, InvalidRequestError


def refusal(data: bytes) -> FieldError:
    """Return why a body is refused, whether as a whole or for what its event holds."""
    try:
        error = find_violation(decode(data))
    except InvalidRequestError as caught:
        [error] = caught.errors
    assert error is not None
    return error


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        pytest.param(b"", "empty", id="nothing"),
        pytest.param(b" \n\t ", "empty", id="white space"),
        pytest.param(b'{"a":1', "bad_json", id="cut off"),
        pytest.param(b'{"a":1}x', "bad_json", id="more after the end"),
        pytest.param(b'{"a":1,}', "bad_json", id="trailing comma"),
        pytest.param(b"{'a':1}", "bad_json", id="single quotes"),
        pytest.param(b'{"a":01}', "bad_json", id="leading zero"),
        pytest.param(b'{"a":+1}', "bad_json", id="plus sign"),
        pytest.param(b'{"a":.5}', "bad_json", id="no digit before the point"),
        pytest.param(b'{"a":"\x01"}', "bad_json", id="bare control character"),
        pytest.param(b'{"a":"\\x41"}', "bad_json", id="unknown escape"),
        pytest.param(b'{"a":"\\ud8"}', "bad_json", id="short escape"),
        pytest.param(b"\xef\xbb\xbf{}", "bad_encoding", id="byte order mark"),
        pytest.param("{}".encode("utf-16"), "bad_encoding", id="UTF-16 with mark"),
        pytest.param("{}".encode("utf-16-le"), "bad_encoding", id="UTF-16 without mark"),
        pytest.param("{}".encode("utf-32"), "bad_encoding", id="UTF-32"),
        pytest.param(b'{"a":"\xff"}', "bad_encoding", id="not UTF-8"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', "bad_encoding", id="surrogate in bytes"),
        pytest.param(b'{"a":"\xc0\x80"}', "bad_encoding", id="overlong NUL"),
        pytest.param(b"[" * 200_000, "too_deep", id="200,000 open arrays"),
        pytest.param(b'{"a":' * 200_000, "too_deep", id="200,000 open objects"),
        pytest.param(b"\x1f\x8b\x08rest", "bad_encoding", id="compressed"),
    ],
)
def test_refuses_bytes_that_are_not_one_json_text_in_utf_8(data: bytes, rule: str) -> None:
    error = refusal(data)

    assert (error.field, error.rule) == ("body", rule)


@pytest.mark.parametrize(
    ("data", "field", "rule"),
    [
        pytest.param(b'{"a":NaN}', "a", "not_finite", id="NaN"),
        pytest.param(b'{"a":[1,-Infinity]}', "a[1]", "not_finite", id="-Infinity"),
        pytest.param(b'{"a":{"b":1e999}}', "a.b", "not_finite", id="1e999"),
        pytest.param(b'{"a":9223372036854775808}', "a", "out_of_range", id="2**63"),
        pytest.param(b'{"a":-9223372036854775809}', "a", "out_of_range", id="below -2**63"),
        pytest.param(b'{"a":%s}' % (b"9" * 5000), "a", "out_of_range", id="5,000 digits"),
        pytest.param(b'{"a":-%s}' % (b"9" * 5000), "a", "out_of_range", id="minus 5,000 digits"),
        pytest.param(b'{"a":1,"a":1}', "a", "duplicate_key", id="key twice"),
        pytest.param(b'{"x":[{"a":1,"a":2}]}', "x[0].a", "duplicate_key", id="key twice inside"),
        pytest.param(b'{"a":1,"\\u0061":1}', "a", "duplicate_key", id="key twice by escape"),
        pytest.param(b'{"a":"\\ud800"}', "a", "control_character", id="lone high surrogate"),
        pytest.param(b'{"a":"\\udc00\\ud800"}', "a", "control_character", id="reversed pair"),
        pytest.param(b'{"a":"x\\u0000"}', "a", "control_character", id="NUL"),
        pytest.param(b'{"a":"\\u001b"}', "a", "control_character", id="escape character"),
        pytest.param(b'{"x":{"\\u0000":1}}', "x.?", "control_character", id="NUL in a name"),
        pytest.param(b'{"x":{"\\ud800":1}}', "x.?", "control_character", id="surrogate name"),
        pytest.param(b"7", "event", "wrong_type", id="a number"),
        pytest.param(b"null", "event", "wrong_type", id="null"),
        pytest.param(b"NaN", "event", "not_finite", id="NaN alone"),
    ],
)
def test_names_the_field_that_no_event_may_hold(data: bytes, field: str, rule: str) -> None:
    error = refusal(data)

    assert (error.field, error.rule) == (field, rule)
    assert error.message.startswith(field) or field == "event"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param('"\\ud83d\\ude00"', "\N{GRINNING FACE}", id="pair by escapes"),
        pytest.param('"a\\tb\\nc\\r"', "a\tb\nc\r", id="tab and line ends"),
        pytest.param("9223372036854775807", 2**63 - 1, id="largest integer"),
        pytest.param("-9223372036854775808", -(2**63), id="smallest integer"),
        pytest.param("-0", 0, id="minus nought"),
        pytest.param("1.7976931348623157e308", 1.7976931348623157e308, id="largest float"),
        pytest.param("true", True, id="true"),
        pytest.param("[]", [], id="empty array"),
    ],
)
def test_reads_what_json_allows(text: str, value: object) -> None:
    document = decode(f'{{"a":{text}}}'.encode())

    assert document == {"a": value}
    assert find_violation(document) is None


@pytest.mark.parametrize("wrap", ['{{"a":{}}}', "[{}]"], ids=["objects", "arrays"])
def test_the_bound_on_depth_is_exact(wrap: str) -> None:
    inside = "1"
    for _ in range(MAX_DEPTH - 1):
        inside = wrap.format(inside)

    assert find_violation(decode(f'{{"a":{inside}}}'.encode())) is None
    error = refusal(f'{{"a":{wrap.format(inside)}}}'.encode())
    assert error.rule == "too_deep"
    assert error.field.startswith("a")


def test_the_bound_on_values_is_exact_and_counts_nested_ones() -> None:
    fits = {"a": [0] * (MAX_VALUES - 1)}
    nested = {"a": [[0, 0]] * (MAX_VALUES // 3), "b": 0, "c": 0}

    assert find_violation(fits) is None
    assert find_violation({**fits, "b": 0}) == FieldError(
        "event", "too_many_values", "event may hold at most 2000 values in all"
    )
    error = find_violation({**nested, "d": 0, "e": 0})
    assert error is not None
    assert error.rule == "too_many_values"


@pytest.mark.parametrize("letter", ["x", "ä", "\N{GRINNING FACE}"])
def test_the_bound_on_text_is_exact_in_bytes_for_values_and_names(letter: str) -> None:
    longest = letter * (MAX_TEXT_BYTES // len(letter.encode()))

    assert find_violation({"a": longest, longest: 1}) is None
    for event in ({"a": longest + "x"}, {longest + "x": 1}):
        error = find_violation(event)
        assert error is not None
        assert error.rule == "too_long"


def test_many_short_names_are_not_one_long_name() -> None:
    assert find_violation({f"name-{n:04}": n for n in range(MAX_VALUES)}) is None


def test_one_bad_event_of_a_batch_spoils_only_itself() -> None:
    document = decode(b'[{"a":1},{"a":1,"a":2},{"a":NaN}]')

    assert isinstance(document, list)
    violations = [find_violation(event) for event in document]
    assert [v.rule if v else None for v in violations] == [None, "duplicate_key", "not_finite"]


def test_errors_show_names_short_and_printable_and_no_values() -> None:
    secret = b"s3cret" * 2000
    error = refusal(b'{"a":{"' + b"k" * 8000 + b'":{"\\u0007":{"x":"' + secret + b'"}}}}')
    said = json.dumps(error.as_dict())

    assert "s3cret" not in said
    assert len(error.field) <= 128
    assert len(said) < 512
    assert shown("a\nb") == "a?b"
    assert shown("\ud800") == "?"


PLAIN = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=20)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | PLAIN,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(PLAIN, inner, max_size=5),
    max_leaves=30,
)


@given(st.dictionaries(PLAIN, VALUES, max_size=8), st.booleans())
def test_reads_every_bounded_event_as_it_was_written(
    event: dict[str, object], escaped: bool
) -> None:
    document = decode(json.dumps(event, ensure_ascii=escaped).encode())

    assert document == event
    assert find_violation(document) is None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=30,
)


def holds(value: object) -> bool:
    """Say in the plainest way whether a value may be stored."""
    if isinstance(value, dict):
        return all(holds(k) and holds(v) for k, v in value.items())
    if isinstance(value, list):
        return all(map(holds, value))
    if isinstance(value, str):
        return all(c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff") for c in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or -(2**63) <= value < 2**63


@given(st.dictionaries(st.text(max_size=5), ANYTHING, max_size=5))
def test_passes_exactly_what_holds_no_unwanted_value(event: dict[str, object]) -> None:
    document = decode(json.dumps(event).encode())

    assert (find_violation(document) is None) == holds(event)


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode("utf-8", "replace")))
def test_answers_any_bytes_with_a_value_or_a_rule_and_never_another_error(data: bytes) -> None:
    try:
        document = decode(data)
    except InvalidRequestError as error:
        fields = {each.field for each in error.errors}
    else:
        violation = find_violation(document)
        fields = {violation.field if violation else "body"}

    assert fields


def test_pythons_own_reader_lets_through_what_this_one_refuses() -> None:
    through = [
        b'{"a":NaN}',
        b'{"a":1e999}',
        b'{"a":1,"a":2}',
        b'{"a":"\\ud800"}',
        b'{"a":"\\u0000"}',
    ]

    assert all(isinstance(json.loads(data), dict) for data in through)
    assert all(refusal(data) for data in through)


def test_a_refused_value_tells_its_rule() -> None:
    document = decode(b'{"a":Infinity}')

    assert document == {"a": Refused("not_finite", document["a"].message)}  # type: ignore[index]
