from __future__ import annotations

import base64
import string
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import access as access_module
from common.access import FRESH_FOR, MAX_CACHED, PAUSE, STALE_FOR, Access, without_credentials
from common.domain.api_keys import Scope
from common.errors import ForbiddenError, StoreError, ThrottledError, UnauthorizedError
from common.http import Request, problem
from fakes.api_keys import NOON, Clock, MemoryApiKeys, a_key

TEXT, KEY = a_key(1)
Source = Callable[..., str]


def a_request(**fields: Any) -> Request:
    given_fields = {"method": "POST", "path": "/events", "body": b"", "request_id": "r-1"} | fields
    return Request(received_at=NOON, **given_fields)


def with_key(text: str, **headers: str) -> Request:
    return a_request(headers={"authorization": f"Bearer {text}", **headers})


def basic(user_and_password: str) -> str:
    return "Basic " + base64.b64encode(user_and_password.encode()).decode()


@pytest.fixture
def store() -> MemoryApiKeys:
    made = MemoryApiKeys()
    made.put(KEY)
    return made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def access(store: MemoryApiKeys, clock: Clock) -> Access:
    return Access(store, required=True, now=clock)


PLACES: list[tuple[str, dict[str, Any], str | None]] = [
    ("bearer", {"headers": {"authorization": f"Bearer {TEXT}"}}, None),
    ("bearer in any case", {"headers": {"authorization": f"bearer  {TEXT} "}}, None),
    ("basic, as SDKs do", {"headers": {"authorization": basic(f"{TEXT}:")}}, None),
    ("basic with a password", {"headers": {"authorization": basic(f"{TEXT}:x:y")}}, None),
    ("basic without a colon", {"headers": {"authorization": basic(TEXT)}}, None),
    ("x-api-key", {"headers": {"x-api-key": TEXT}}, None),
    ("x-write-key", {"headers": {"x-write-key": TEXT}}, None),
    ("x-write-key of Jitsu", {"headers": {"x-write-key": f"eventstream:{TEXT}"}}, None),
    ("body", {}, TEXT),
    ("writeKey", {"query": {"writeKey": TEXT}}, None),
    ("write_key", {"query": {"write_key": TEXT}}, None),
    ("api_key", {"query": {"api_key": TEXT}}, None),
    # Jitsu masks the key in the body, and has the real one in a header.
    ("masked in the body", {"headers": {"x-write-key": TEXT}}, "k:***"),
    ("beside a token", {"headers": {"authorization": "Bearer eyJ0", "x-api-key": TEXT}}, None),
]


@pytest.mark.parametrize(
    ("fields", "body_key"), [pytest.param(*rest, id=name) for name, *rest in PLACES]
)
def test_a_key_is_found_wherever_sdks_put_it(
    access: Access, fields: dict[str, Any], body_key: str | None
) -> None:
    assert access.source(a_request(**fields), "ingest", body_key) == KEY.id


NO_KEYS: list[tuple[str, dict[str, Any], str | None]] = [
    ("nothing", {}, None),
    ("empty", {"headers": {"authorization": "", "x-api-key": " "}}, ""),
    ("an SDK's test key", {"headers": {"authorization": basic("abc:")}}, "abc"),
    ("no base64", {"headers": {"authorization": "Basic %%%"}}, None),
    ("no UTF-8", {"headers": {"authorization": "Basic /////w=="}}, None),
    ("another scheme", {"headers": {"authorization": "AWS4-HMAC-SHA256 Credential=x"}}, None),
    ("a password only", {"headers": {"authorization": basic(f":{TEXT}")}}, None),
    ("other parameters", {"query": {"key": TEXT}}, None),
]


@pytest.mark.parametrize(
    ("fields", "body_key"), [pytest.param(*rest, id=name) for name, *rest in NO_KEYS]
)
def test_a_credential_of_another_form_counts_as_none(
    access: Access, store: MemoryApiKeys, fields: dict[str, Any], body_key: str | None
) -> None:
    lenient = Access(store, required=False, now=Clock())

    assert lenient.source(a_request(**fields), "ingest", body_key) == "public"
    with pytest.raises(UnauthorizedError, match="eventstream keys create"):
        access.source(a_request(**fields), "ingest", body_key)
    assert store.asked == []


def test_an_api_that_wants_keys_and_has_none_stays_closed() -> None:
    empty = Access(MemoryApiKeys(), required=True, now=Clock())

    with pytest.raises(UnauthorizedError, match="`eventstream keys create` makes one"):
        empty.source(a_request(), "ingest")
    with pytest.raises(UnauthorizedError):
        empty.source(with_key(TEXT), "ingest")


_UNKNOWN = "the API key in the header Authorization is unknown, misspelt or revoked"
_NO_KEY = "what the header Authorization holds is not a key of the form es_<id>_<secret>"


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (a_key(2)[0], _UNKNOWN),
        (TEXT[:-1] + ("A" if TEXT[-1] != "A" else "E"), _UNKNOWN),
        (TEXT[:-1], _NO_KEY),
        (TEXT + "x", _NO_KEY),
        ("es_x_y", _NO_KEY),
    ],
)
def test_a_wrong_key_is_refused_whether_or_not_one_is_required(
    store: MemoryApiKeys, text: str, said: str, required: bool
) -> None:
    access = Access(store, required=required, now=Clock())

    with pytest.raises(UnauthorizedError, match=said):
        access.source(with_key(text), "ingest")


def test_what_only_begins_like_a_key_is_told_its_form_where_one_is_required(
    access: Access, store: MemoryApiKeys
) -> None:
    for fields, place in (
        ({"headers": {"authorization": "Bearer es_nonsense"}}, "header Authorization"),
        ({"headers": {"x-api-key": "es_nonsense"}}, "header X-Api-Key"),
        ({"headers": {"x-write-key": "k:es_nonsense"}}, "header X-Write-Key"),
        ({"query": {"writeKey": "es_nonsense"}}, "query parameter writeKey"),
    ):
        with pytest.raises(UnauthorizedError, match=f"the {place} holds is not a key") as caught:
            access.source(a_request(**fields), "ingest")
        assert "nonsense" not in str(caught.value)
    with pytest.raises(UnauthorizedError, match="the body holds is not a key of the form"):
        access.source(a_request(), "ingest", "es_nonsense")
    with pytest.raises(UnauthorizedError, match="in the header Authorization, as 'Authorization"):
        access.source(a_request(), "ingest")
    assert store.asked == []


def test_the_first_key_of_our_form_decides(access: Access) -> None:
    wrong = a_key(2)[0]

    with pytest.raises(UnauthorizedError):
        access.source(with_key(wrong, **{"x-api-key": TEXT}), "ingest", TEXT)
    assert access.source(with_key(TEXT, **{"x-api-key": wrong}), "ingest", wrong) == KEY.id


@given(place=st.integers(0, len(TEXT) - 1), character=st.sampled_from(string.printable))
def test_no_key_with_one_character_changed_is_let_in(place: int, character: str) -> None:
    store = MemoryApiKeys()
    store.put(KEY)
    changed = TEXT[:place] + character + TEXT[place + 1 :]
    access = Access(store, required=True, now=Clock())
    request = a_request(headers={"x-api-key": changed})

    if changed == TEXT:
        assert access.source(request, "ingest") == KEY.id
    else:
        with pytest.raises(UnauthorizedError):
            access.source(request, "ingest")


SCOPES: list[tuple[set[Scope], Scope, bool]] = [
    ({"ingest"}, "ingest", True),
    ({"ingest"}, "query", False),
    ({"query"}, "query", True),
    ({"query"}, "ingest", False),
    ({"ingest", "query"}, "ingest", True),
    ({"ingest", "query"}, "query", True),
]


def wrongly_judged(make: Callable[[MemoryApiKeys], Access]) -> list[tuple[set[Scope], Scope]]:
    """Return the cases in which a key may do what it may not, or the other way round."""
    wrong = []
    for scopes, scope, allowed in SCOPES:
        text, key = a_key(1, scopes=scopes)
        store = MemoryApiKeys()
        store.put(key)
        try:
            let_in = make(store).source(with_key(text), scope) == key.id
        except ForbiddenError:
            let_in = False
        if let_in is not allowed:
            wrong.append((scopes, scope))
    return wrong


def test_a_key_does_what_its_scopes_say_and_nothing_else() -> None:
    assert wrongly_judged(lambda store: Access(store, required=True, now=Clock())) == []


class Scopeless(Access):
    """The control: a check that believes any valid key."""

    def source(self, request: Request, scope: Scope, body_key: str | None = None) -> str:
        try:
            return super().source(request, scope, body_key)
        except ForbiddenError:
            return KEY.id


def test_a_check_that_skips_the_scope_is_noticed() -> None:
    wrong = wrongly_judged(lambda store: Scopeless(store, required=True, now=Clock()))

    assert wrong == [({"ingest"}, "query"), ({"query"}, "ingest")]


def test_a_refusal_by_scope_says_which_key_it_takes(store: MemoryApiKeys, access: Access) -> None:
    with pytest.raises(ForbiddenError) as caught:
        access.source(with_key(TEXT), "query")

    assert caught.value.message == (
        "this API key may send events: to read takes one of scope query"
    )


def test_a_browser_key_demands_one_of_its_origins(store: MemoryApiKeys, access: Access) -> None:
    text, key = a_key(5, origins=("https://shop.example.com",))
    store.put(key)

    assert access.source(with_key(text, origin="https://shop.example.com"), "ingest") == key.id
    for headers in ({}, {"origin": "https://evil.example"}, {"origin": "null"}):
        with pytest.raises(ForbiddenError, match="Origin"):
            access.source(with_key(text, **headers), "ingest")


def test_an_unknown_id_is_compared_as_a_known_one_is(store: MemoryApiKeys) -> None:
    compared: list[str] = []

    def compare(left: str, right: str) -> bool:
        compared.append(left)
        return left == right

    access = Access(store, required=True, now=Clock(), compare=compare)
    access.source(with_key(TEXT), "ingest")
    with pytest.raises(UnauthorizedError):
        access.source(with_key(a_key(2)[0]), "ingest")

    assert len(compared) == 2


def test_unknown_wrong_and_revoked_keys_are_answered_alike(
    store: MemoryApiKeys, access: Access
) -> None:
    revoked, record = a_key(3)
    store.put(replace(record, revoked_at=NOON))
    wrong_secret = TEXT[:-1] + ("A" if TEXT[-1] != "A" else "B")
    answers = []
    for text in (a_key(9)[0], wrong_secret, revoked):
        with pytest.raises(UnauthorizedError) as caught:
            access.source(with_key(text), "ingest")
        answers.append(problem(caught.value, "r-1"))

    assert all(each == answers[0] for each in answers)
    assert answers[0].status == 401
    assert answers[0].headers == {"www-authenticate": 'Bearer realm="eventstream"'}


# ---- what is kept, and for how long -------------------------------------------------------------


def test_a_key_is_read_once_a_minute(store: MemoryApiKeys, access: Access, clock: Clock) -> None:
    for _ in range(5):
        access.source(with_key(TEXT), "ingest")
        clock.pass_s(FRESH_FOR.total_seconds() / 5 - 0.001)
    assert len(store.asked) == 1

    clock.pass_s(0.01)
    access.source(with_key(TEXT), "ingest")
    assert len(store.asked) == 2


def test_a_revoked_key_is_refused_after_a_minute_at_the_latest(
    store: MemoryApiKeys, access: Access, clock: Clock
) -> None:
    access.source(with_key(TEXT), "ingest")
    store.revoke(KEY.id)

    clock.pass_s(FRESH_FOR.total_seconds() - 0.001)
    assert access.source(with_key(TEXT), "ingest") == KEY.id
    clock.pass_s(0.001)
    with pytest.raises(UnauthorizedError):
        access.source(with_key(TEXT), "ingest")


def test_a_new_key_is_let_in_a_minute_after_it_was_unknown(
    store: MemoryApiKeys, access: Access, clock: Clock
) -> None:
    text, key = a_key(4)
    for _ in range(3):
        with pytest.raises(UnauthorizedError):
            access.source(with_key(text), "ingest")
    assert len(store.asked) == 1

    store.put(key)
    clock.pass_s(FRESH_FOR.total_seconds())
    assert access.source(with_key(text), "ingest") == key.id


def test_a_clock_that_is_set_back_makes_no_record_live_longer(
    store: MemoryApiKeys, access: Access, clock: Clock
) -> None:
    access.source(with_key(TEXT), "ingest")
    store.revoke(KEY.id)

    clock.pass_s(-3600)
    with pytest.raises(UnauthorizedError):
        access.source(with_key(TEXT), "ingest")


def test_a_flood_of_invented_keys_fills_no_memory_and_pushes_no_real_key_out(
    store: MemoryApiKeys, access: Access
) -> None:
    access.source(with_key(TEXT), "ingest")
    for number in range(MAX_CACHED + 200):
        with pytest.raises(UnauthorizedError):
            access.source(with_key(f"es_{number:016x}_{'A' * 43}"), "ingest")
    asked = len(store.asked)

    access.source(with_key(TEXT), "ingest")

    assert len(store.asked) == asked
    assert len(access._records._refused) == MAX_CACHED
    with pytest.raises(UnauthorizedError):
        access.source(with_key(f"es_{0:016x}_{'A' * 43}"), "ingest")
    assert len(store.asked) == asked + 1


def test_real_keys_are_bounded_too(
    store: MemoryApiKeys, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_module, "MAX_CACHED", 3)
    keys = [a_key(number) for number in range(1, 6)]
    for text, key in keys:
        store.put(key)
        access.source(with_key(text), "ingest")

    assert set(access._records._valid) == {key.id for _, key in keys[2:]}


# ---- when the store is down ---------------------------------------------------------------------


@pytest.mark.parametrize("failure", [StoreError("gone"), ThrottledError("slow down")])
@pytest.mark.parametrize("required", [True, False])
def test_nobody_is_let_in_because_a_key_could_not_be_checked(
    store: MemoryApiKeys, failure: StoreError | ThrottledError, required: bool
) -> None:
    store.down = failure
    access = Access(store, required=required, now=Clock())

    with pytest.raises(type(failure)) as caught:
        access.source(with_key(TEXT), "ingest")

    answer = problem(caught.value, "r-1")
    assert answer.status == 503
    assert 1 <= int(answer.headers["retry-after"]) <= 5


def test_a_key_that_was_valid_serves_on_through_an_outage_and_not_for_ever(
    store: MemoryApiKeys, access: Access, clock: Clock
) -> None:
    access.source(with_key(TEXT), "ingest")
    store.down = StoreError("gone")

    clock.pass_s(STALE_FOR.total_seconds() - 1)
    assert access.source(with_key(TEXT), "ingest") == KEY.id
    clock.pass_s(1)
    with pytest.raises(StoreError):
        access.source(with_key(TEXT), "ingest")


def test_what_serves_on_is_still_held_to_secret_scope_and_origin(
    store: MemoryApiKeys, access: Access, clock: Clock
) -> None:
    access.source(with_key(TEXT), "ingest")
    store.down = StoreError("gone")
    clock.pass_s(120)

    with pytest.raises(UnauthorizedError):
        access.source(with_key(TEXT[:-1] + ("A" if TEXT[-1] != "A" else "B")), "ingest")
    with pytest.raises(ForbiddenError):
        access.source(with_key(TEXT), "query")


def test_what_was_refused_before_an_outage_is_not_served_by_it(
    store: MemoryApiKeys, access: Access, clock: Clock
) -> None:
    store.revoke(KEY.id)
    for text in (TEXT, a_key(2)[0]):
        with pytest.raises(UnauthorizedError):
            access.source(with_key(text), "ingest")
    store.down = StoreError("gone")

    clock.pass_s(FRESH_FOR.total_seconds())
    for text in (TEXT, a_key(2)[0]):
        with pytest.raises(StoreError):
            access.source(with_key(text), "ingest")


def test_a_store_that_is_down_is_left_alone_for_a_while(
    store: MemoryApiKeys, access: Access, clock: Clock
) -> None:
    access.source(with_key(TEXT), "ingest")
    store.down = StoreError("gone")
    clock.pass_s(FRESH_FOR.total_seconds())
    other, key = a_key(6)
    store.put(key)

    for _ in range(4):
        assert access.source(with_key(TEXT), "ingest") == KEY.id
        with pytest.raises(StoreError, match="gone"):
            access.source(with_key(other), "ingest")
    assert len(store.asked) == 2

    store.down = None
    clock.pass_s(PAUSE.total_seconds())
    assert access.source(with_key(other), "ingest") == key.id
    assert access.source(with_key(TEXT), "ingest") == KEY.id
    assert len(store.asked) == 4


def test_the_key_is_taken_out_of_the_query_string() -> None:
    query = {"writeKey": TEXT, "write_key": TEXT, "api_key": TEXT, "metric": "count"}

    assert without_credentials(query) == {"metric": "count"}


def test_no_refusal_holds_the_key(store: MemoryApiKeys, access: Access) -> None:
    text, key = a_key(8, origins=("https://secret-host.example",))
    store.put(key)
    attempts: list[tuple[Request, Scope]] = [
        (with_key(text), "ingest"),
        (with_key(text), "query"),
        (with_key(a_key(9)[0]), "ingest"),
        (with_key("es_sesame_open"), "ingest"),
    ]
    for request, scope in attempts:
        with pytest.raises((UnauthorizedError, ForbiddenError)) as caught:
            access.source(request, scope)
        said = str(problem(caught.value, "r-1").body)
        for part in (text, key.id, key.secret_hash, "secret-host", "sesame", "es_0"):
            assert part not in said
