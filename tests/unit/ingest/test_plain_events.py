"""The quick reader takes an event only as the usual way takes it, and leaves it all others."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.strict_json import MAX_DEPTH, MAX_VALUES, decode
from common.errors import InvalidRequestError
from common.models import IngestEvent
from fakes.bodies import damage, spoil, valid_event
from fakes.ingest_builders import a_request
from ingest import bodies, plain_events
from ingest.plain_events import read_plain
from ingest.routes import Target
from ingest.validation import validate

NATIVE = Target("native", batch=True)
FIELDS = tuple(IngestEvent.model_fields)


def told(event: Any) -> Any:
    """Return what an event says, type by type: ``1``, ``1.0`` and ``True`` are three values."""
    return repr([getattr(event, name) for name in FIELDS])


def usual(text: bytes) -> Any:
    """Return what becomes of an event that is read the usual way."""
    try:
        return validate(decode(text))
    except InvalidRequestError as error:
        return error


def hold(text: bytes) -> bool:
    """Compare both readers; return whether the quick one took the text."""
    event = read_plain(text)
    if event is None:
        return False
    strict = usual(text)
    assert isinstance(strict, IngestEvent), (text, strict)
    assert told(event) == told(strict), text
    return True


def spellings(rng: random.Random, event: Any) -> bytes:
    separators = rng.choice([(",", ":"), (", ", ": "), (" ,", " : ")])
    indent = rng.choice([None, None, None, 1])
    return json.dumps(
        event, ensure_ascii=rng.random() < 0.5, separators=separators, indent=indent
    ).encode("utf-8", "surrogatepass")


def test_what_is_taken_is_what_the_usual_way_takes() -> None:
    rng = random.Random(11)
    taken = 0
    for _ in range(20_000):
        event: Any = valid_event(rng)
        kind = rng.randrange(3)
        try:
            text = spellings(rng, spoil(rng, event) if kind == 1 else event)
        except ValueError:  # an integer of thousands of digits, which Python spells no more
            continue
        taken += hold(damage(rng, text) if kind == 2 else text)

    assert taken > 2_000


NAMES = st.sampled_from([*FIELDS, "type", "userId", "colour", "a", "b", ""])
NUMBERS = st.sampled_from(
    [
        *("0", "-0", "-0.0", "1.0", "1e5", "1E400", "1e-999", "01", "1.", "0.1e1", "9" * 40),
        *(str(2**63 - 1), str(2**63), str(-(2**63)), str(-(2**63) - 1), f"{2**64}", f"{2**63}.5"),
        *("NaN", "-Infinity", "1771588740000", "17715887400000000"),
    ]
)
TEXTS = st.sampled_from(
    [
        *(
            "",
            "x",
            ":",
            '":',
            "\\u0041",
            "\\ud800",
            "\\n",
            "\x00",
            "\x7f",
            "\u2028",
            "ü",
            "x" * 257,
        ),
        *("2026-02-20T11:59:00Z", "2026-02-20T11:59:00.123456789Z", "2026-02-20T23:59:60Z"),
        *("2026-02-20", "9999-12-31T23:59:59-01:00", "2026-02-30T11:59:00Z"),
        *("click", "click\n", "{", "[", '"'),
    ]
)
QUOTED = TEXTS.map(lambda text: f'"{text}"')
LEAVES = st.one_of(QUOTED, NUMBERS, st.sampled_from(["true", "false", "null", "", "tru"]))
SPACES = st.sampled_from(["", "", "", " ", "\n", "\t", "\x0b"])


@st.composite
def members(draw: Any, values: Any) -> str:
    """Draw an object whose names may come twice, with spaces where JSON has room for them."""
    pairs = draw(st.lists(st.tuples(NAMES, SPACES, values), max_size=5))
    return "{" + ",".join(f'"{name}"{space}:{space}{value}' for name, space, value in pairs) + "}"


VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        members(inner), st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
    ),
    max_leaves=8,
)


@given(members(VALUES))
def test_no_text_has_two_meanings(text: str) -> None:
    hold(text.encode("utf-8", "surrogatepass"))


@given(members(VALUES))
def test_no_event_has_two_meanings(text: str) -> None:
    rest = text[1:] if text == "{}" else "," + text[1:]
    hold(f'{{"event_type":"click"{rest}'.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    "text",
    [
        b'{"event_type":"x","event_type":"y"}',
        b'{"event_type":"x","user_id":"a","user_id":"b"}',
        b'{"event_type":"x","latency_ms":1,"latency_ms":2}',
        b'{"event_type":"x","properties":{"a":1},"properties":{"a":1}}',
        b'{"event_type":"x","properties":{"a" :1,"a":2}}',
        b'{"event_type":"x","properties":{"a":[{"b":1,"b":2}]}}',
        b'{"event_type":"x","properties":{"a":9223372036854775808}}',
        b'{"event_type":"x","properties":{"a":[[-9223372036854775809]]}}',
        b'{"event_type":"x","user_id":"a\\u0000"}',
        b'{"event_type":"x","colour":1}',
        b'{"type":"x"}',
        b'{"event_type":"x","user_id":null}',
        b'{"event_type":"x\n"}',
        b'{"event_type":"x","user_id":"a\x7f"}',
        b'{"event_type":"x","properties":{"a":"\xff"}}',
        b'["x"]',
        b"7",
        b'{"event_type":"x"} {}',
        b"\xef\xbb\xbf" + b'{"event_type":"x"}',
        b'{"event_type":"x","properties":{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}}",
        b'{"event_type":"x","properties":{"a":[' + b"0," * MAX_VALUES + b"0]}}",
        b'{"event_type":"x","properties":{"a":"' + b"y" * 9_000 + b'"}}',
        b'{"event_type":"x","properties":' + b"[" * 200_000,
    ],
)
def test_what_strict_reading_or_the_bounds_may_refuse_is_left_to_them(text: bytes) -> None:
    assert read_plain(text) is None


def test_the_deepest_event_that_is_allowed_may_be_plain() -> None:
    nested = b"[" * (MAX_DEPTH - 2) + b"]" * (MAX_DEPTH - 2)

    assert hold(b'{"event_type":"x","properties":{"a":' + nested + b"}}")


def test_the_decoder_alone_would_let_a_name_pass_that_is_given_twice() -> None:
    text = b'{"event_type":"x","properties":{"a":1,"a":2}}'

    assert msgspec.json.decode(text, type=plain_events.PlainEvent).properties == {"a": 2}
    assert usual(text)[0].rule == "duplicate_key"


def test_an_event_as_clients_send_it_is_plain() -> None:
    text = (
        b'{"event_id": "0199c0de-1", "event_type": "purchase", "user_id": "u-1", "is_error": false,'
        b' "timestamp": "2026-02-20T14:30:00.123Z", "latency_ms": 12, "sent_at": 1771588740000,'
        b' "properties": {"page": "/a", "items": [{"sku": "\xc3\xbc", "n": 2, "gift": null}]}}'
    )

    assert hold(text)


def outcomes(data: bytes) -> Any:
    try:
        sent = bodies.read(data, NATIVE, a_request(data)).events
    except InvalidRequestError as error:
        return type(error), error.message, [each.as_dict() for each in error.errors]
    checked = (validate(each.event) for each in sent)
    return [each if isinstance(each, tuple) else told(each) for each in checked]


@pytest.mark.parametrize("joined", ["array", "lines"])
def test_a_body_means_the_same_with_and_without_the_quick_reader(
    joined: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(12)
    shapes = {"array": (b"[", b",", b"]"), "lines": (b"", b"\n", b"")}
    begin, between, end = shapes[joined]
    sent = []
    for _ in range(1_500):
        events = [valid_event(rng) for _ in range(rng.randrange(1, 5))]
        texts = [spellings(rng, event) for event in events]
        at = rng.randrange(len(texts))
        if rng.random() < 0.5:
            texts[at] = damage(rng, texts[at])
        sent.append(begin + between.join(texts) + end)
    with_it = [outcomes(data) for data in sent]
    monkeypatch.setattr(bodies, "items_of", lambda _array: None)
    monkeypatch.setattr(bodies, "read_plain", lambda _text: None)

    assert with_it == [outcomes(data) for data in sent]


def test_an_array_made_of_nothing_is_not_taken_apart_at_great_cost() -> None:
    assert plain_events.items_of(b"[" + b"1," * 600_000 + b"1]") is None
