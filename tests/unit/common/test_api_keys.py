from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain import api_keys
from common.domain.api_keys import (
    hash_secret,
    is_valid,
    looks_like_a_key,
    make_key,
    parse,
    read_origin,
    read_scopes,
)
from fakes.api_keys import NOON, a_key

# Whatever a hand or a bad copy may put in a character's place; newlines and look-alikes too.
CHARACTERS = st.characters(codec="utf-8")


def test_a_key_is_taken_apart_as_it_was_made() -> None:
    text, made = make_key(os.urandom)

    assert text == f"es_{made.id}_{made.secret}"
    assert parse(text) == made
    assert looks_like_a_key(text)


def test_a_key_has_256_random_bits_and_no_two_are_alike() -> None:
    drawn: list[int] = []

    def entropy(size: int) -> bytes:
        drawn.append(size)
        return os.urandom(size)

    keys = {make_key(entropy)[0] for _ in range(500)}

    assert len(keys) == 500
    assert set(drawn) == {8, 32}


def test_the_record_holds_the_hash_and_neither_it_nor_the_secret_is_printed() -> None:
    text, record = a_key(7)
    presented = parse(text)

    assert presented is not None
    assert record.secret_hash == hash_secret(presented.secret)
    assert record.secret_hash not in repr(record)
    assert presented.secret not in repr(presented)


@given(st.data())
def test_any_single_change_of_a_character_is_refused(data: st.DataObject) -> None:
    text, record = a_key(200)
    place = data.draw(st.integers(0, len(text) - 1))
    changed = text[:place] + data.draw(CHARACTERS.filter(lambda c: c != text[place]))
    presented = parse(changed + text[place + 1 :])

    found = record if presented is not None and presented.id == record.id else None
    assert presented is None or not is_valid(presented, found)


@given(st.data())
def test_a_character_more_or_less_is_refused(data: st.DataObject) -> None:
    text, record = a_key(201)
    place = data.draw(st.integers(0, len(text)))
    changed = data.draw(
        st.sampled_from(
            [text[:place] + data.draw(CHARACTERS) + text[place:], text[:place] + text[place + 1 :]]
        )
    )
    presented = parse(changed)

    assert changed == text or presented is None or not is_valid(presented, record)


def test_each_text_that_spells_the_same_32_bytes_is_a_key_of_its_own() -> None:
    text, record = a_key(3)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    keys = [parse(text[:-1] + last) for last in alphabet]

    assert sum(is_valid(key, record) for key in keys if key is not None) == 1


@pytest.mark.parametrize("known", [True, False])
def test_an_unknown_key_is_hashed_and_compared_like_a_known_one(known: bool) -> None:
    text, record = a_key()
    presented = parse(text)
    compared: list[tuple[str, str]] = []

    def compare(left: str, right: str) -> bool:
        compared.append((left, right))
        return left == right

    assert presented is not None
    assert is_valid(presented, record if known else None, compare) is known
    [(left, right)] = compared
    assert left == hash_secret(presented.secret)
    assert len(left) == len(right)


def test_what_stands_for_an_unknown_key_lets_nobody_in() -> None:
    text, _ = a_key()
    presented = parse(text)

    assert presented is not None
    assert not is_valid(presented, None, lambda _left, _right: True)


def test_a_revoked_key_is_not_valid() -> None:
    text, record = a_key()
    presented = parse(text)

    assert presented is not None
    assert is_valid(presented, record)
    assert not is_valid(presented, replace(record, revoked_at=NOON))


@pytest.mark.parametrize("text", ["es_a_b", "es_ABC_x", "es_x_\n", "es_x_y z"])
def test_a_misspelt_key_is_still_seen_as_one(text: str) -> None:
    assert looks_like_a_key(text)
    assert parse(text) is None


@pytest.mark.parametrize(
    "text", ["", "abc", "es_prod", "es_a_", "es__x", "xes_a_b", "ES_a_b", "phc_a_b"]
)
def test_a_credential_of_another_form_is_not(text: str) -> None:
    assert not looks_like_a_key(text)


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [
        ("https://shop.example.com", "https://shop.example.com"),
        ("HTTPS://Shop.Example.COM:443", "https://shop.example.com"),
        ("http://example.com:80", "http://example.com"),
        ("http://localhost:5173", "http://localhost:5173"),
        ("https://127.0.0.1:8443", "https://127.0.0.1:8443"),
        ("https://*.example.com", "https://*.example.com"),
    ],
)
def test_an_origin_is_kept_as_browsers_send_it(given_text: str, kept: str) -> None:
    assert read_origin(given_text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "null",
        "shop.example.com",
        "https://*",
        "https://*.com",
        "https://*shop.example.com",
        "https://a.*.example.com",
        "https://example.com/",
        "https://example.com/path",
        "https://user@example.com",
        "https://example.com:0",
        "https://example.com:65536",
        "https://example.com\n",
        "ftp://example.com",
        "https://exämple.com",
    ],
)
def test_what_no_page_has_as_its_origin_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as https://shop\.example\.com"):
        read_origin(text)


@pytest.mark.parametrize(
    ("origin", "fits"),
    [
        ("https://shop.example.com", True),
        ("https://SHOP.example.com", True),
        ("https://a.shop.example.com", False),
        ("http://shop.example.com", False),
        ("https://shop.example.com:8443", False),
        ("https://shop.example.com.evil.org", False),
        ("https://a.wide.org", True),
        ("https://a.b.wide.org", True),
        ("https://wide.org", False),
        ("https://.wide.org", False),
        ("https://evilwide.org", False),
        ("https://evil.org/.wide.org", False),
        ("https://evil.org#.wide.org", False),
        ("http://a.wide.org", False),
        ("null", False),
        ("", False),
        (None, False),
    ],
)
def test_a_browser_key_fits_its_origins_and_no_other(origin: str | None, fits: bool) -> None:
    _, record = a_key(origins=("https://shop.example.com", "https://*.wide.org"))

    assert record.fits(origin) is fits


def test_a_key_without_origins_fits_every_request() -> None:
    _, record = a_key()

    assert record.fits(None)
    assert record.fits("https://anywhere.example")


@pytest.mark.parametrize("names", [[], ["admin"], ["ingest", "admin"]])
def test_a_scope_that_does_not_exist_is_refused(names: list[str]) -> None:
    with pytest.raises(ValueError, match="ingest, query"):
        read_scopes(names)


def test_both_scopes_may_be_had_at_once() -> None:
    assert read_scopes(["query", "ingest", "query"]) == set(api_keys.SCOPES)
