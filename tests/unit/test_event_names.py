from __future__ import annotations

import doctest
from re import fullmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain import event_names
from common.domain.event_names import MAX_ORIGINAL, event_name, storable
from common.domain.strict_json import find_violation
from common.models import EVENT_TYPE_PATTERN

ALPHABET = st.characters(codec="ascii", categories=("L", "N"), include_characters="_.:- ")
NAMES = st.one_of(
    st.text(),
    st.text(ALPHABET, max_size=140),
    st.from_regex(EVENT_TYPE_PATTERN, fullmatch=True),
    st.text(st.characters(categories=None)),
)


@pytest.mark.parametrize(
    "name", ["Order Completed", "page_view", "com.example.order:v2", "a", "A-1 ", "x" * 128]
)
def test_a_name_that_is_an_event_type_stays_as_it_is(name: str) -> None:
    assert event_name(name) == (name, None)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        pytest.param("Panier validé", "Panier valide", id="accent"),
        pytest.param("Überprüft", "Uberpruft", id="accent at the start"),
        pytest.param("Straße/gesperrt!", "Stra_e_gesperrt", id="no such letter"),
        pytest.param("[Amplitude] Page Viewed", "Amplitude_ Page Viewed", id="brackets"),
        pytest.param("1st purchase", "st purchase", id="digit at the start"),
        pytest.param(" lead", "lead", id="space at the start"),
        pytest.param("注文完了", "event", id="no letter of the alphabet"),
        pytest.param("🎉", "event", id="emoji"),
        pytest.param("", "event", id="nothing"),
        pytest.param("a\nb", "a_b", id="line feed"),
        pytest.param("\ud800x", "x", id="half a surrogate pair"),
        pytest.param("x" * 129, "x" * 115, id="too long"),
        pytest.param("ﬁ" * 100, "fi" * 57 + "f", id="grows when taken apart"),
        pytest.param("ok\n", "ok", id="line feed at the end"),
    ],
)
def test_a_name_that_loses_something_gets_its_hash(name: str, stem: str) -> None:
    event_type, original = event_name(name)

    assert fullmatch(rf"{stem}:[0-9a-f]{{12}}", event_type)
    assert original == storable(name)


def test_a_name_that_looks_as_if_it_had_been_hashed_is_not_taken_for_the_other() -> None:
    hashed, _ = event_name("Panier validé")
    assert fullmatch(EVENT_TYPE_PATTERN, hashed)  # it would have stood as it is

    again, original = event_name(hashed)

    assert again != hashed
    assert original == hashed
    assert event_name(again)[0] not in {again, hashed}


def test_names_that_differ_only_in_what_is_lost_stay_apart() -> None:
    names = ["é", "è", "e", "e!", "!e", "e?", "x" * 129, "x" * 130, "e\u0301", "日", "本", " e"]

    assert len({event_name(name)[0] for name in names}) == len(names)


@given(NAMES)
def test_every_name_becomes_an_event_type(name: str) -> None:
    event_type, original = event_name(name)

    assert fullmatch(EVENT_TYPE_PATTERN, event_type)
    assert (original is None) == (event_type == name)
    assert event_name(name) == (event_type, original)


@given(st.lists(NAMES, unique=True, max_size=20))
def test_no_two_names_share_an_event_type(names: list[str]) -> None:
    types = [event_name(name)[0] for name in names]
    of_the_types = [event_name(name)[0] for name in {*types} - {*names}]

    assert len({*types}) == len(names)
    assert {*of_the_types}.isdisjoint(t for n, t in zip(names, types, strict=True) if n != t)


@given(st.text(st.characters(categories=None), max_size=MAX_ORIGINAL * 2))
def test_what_is_kept_of_a_name_can_be_stored(name: str) -> None:
    assert find_violation({"context": {"original_event": storable(name)}}) is None


def test_the_examples_hold() -> None:
    failed, tried = doctest.testmod(event_names)

    assert (failed, tried > 0) == (0, True)
