"""The fake store of keys and the adapter on DynamoDB must tell the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from common.adapters.api_keys import KEYS_CLIENT_CONFIG, DynamoApiKeys, api_key, key_item
from common.domain.api_keys import ApiKey
from common.errors import StoreError, ThrottledError
from common.ports.api_keys import ApiKeyStore
from contract.tables import create_keys_table
from eventstream.api_keys import TABLE, KeyNotFoundError, KeyRing
from eventstream.output import UsageProblemError
from fakes.api_keys import NOON, MemoryApiKeys, a_key
from fakes.aws_answers import answer_with, skip_waits

NAME = "keys"
Put = Callable[[ApiKey], None]


class Stack:
    """Stands in for a target."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def client(self, service: str) -> Any:
        assert service == "dynamodb"
        return self._client

    def resource(self, logical_id: str) -> str:
        assert logical_id == TABLE
        return NAME


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        made = boto3.client("dynamodb", region_name="eu-central-1", config=KEYS_CLIENT_CONFIG)
        create_keys_table(made, NAME)
        yield made


@pytest.fixture(params=["memory", "dynamodb"])
def stored(request: pytest.FixtureRequest, client: Any) -> tuple[ApiKeyStore, Put]:
    if request.param == "memory":
        memory = MemoryApiKeys()
        return memory, memory.put

    def put(key: ApiKey) -> None:
        client.put_item(TableName=NAME, Item=key_item(key))

    return DynamoApiKeys(client, NAME), put


def test_a_key_is_found_as_it_was_stored(stored: tuple[ApiKeyStore, Put]) -> None:
    store, put = stored
    plain = a_key(1)[1]
    browser = a_key(2, origins=("https://a.example", "https://*.b.example"), name="")[1]
    reader = a_key(3, scopes=("ingest", "query"), name='Ω "x"')[1]
    for key in (plain, browser, reader):
        put(key)

    assert [store.find(key.id) for key in (plain, browser, reader)] == [plain, browser, reader]


def test_an_unknown_key_is_none(stored: tuple[ApiKeyStore, Put]) -> None:
    assert stored[0].find("0" * 16) is None


def test_a_revoked_key_is_found_as_such(stored: tuple[ApiKeyStore, Put]) -> None:
    store, put = stored
    key = replace(a_key(1)[1], revoked_at=NOON + timedelta(milliseconds=7))
    put(key)

    assert store.find(key.id) == key


def test_no_item_holds_the_secret() -> None:
    text, key = a_key(1)

    assert text.rpartition("_")[2] not in str(key_item(key))


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ThrottlingException", ThrottledError),
        ("ProvisionedThroughputExceededException", ThrottledError),
        ("InternalServerError", StoreError),
        ("AccessDeniedException", StoreError),
    ],
)
def test_a_refusal_of_dynamodb_is_an_error_of_ours_without_its_text(
    client: Any, code: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_waits(monkeypatch)
    answer_with(client, *[(400, code)] * 5)

    with pytest.raises(error) as caught:
        DynamoApiKeys(client, NAME).find("0" * 16)

    assert "user-42" not in str(caught.value)


def test_a_lookup_is_tried_twice_and_no_more(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_waits(monkeypatch)
    asked = answer_with(client, *[EndpointConnectionError(endpoint_url="x")] * 5)

    with pytest.raises(StoreError):
        DynamoApiKeys(client, NAME).find("0" * 16)

    assert asked == ["GetItem"] * 2


def test_one_failure_on_the_way_is_not_noticed(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = a_key(1)[1]
    client.put_item(TableName=NAME, Item=key_item(key))
    skip_waits(monkeypatch)
    answer_with(client, (500, "InternalServerError"))

    assert DynamoApiKeys(client, NAME).find(key.id) == key


def test_a_lookup_asks_for_what_the_last_write_left(client: Any) -> None:
    asked: list[dict[str, Any]] = []
    client.meta.events.register(
        "provide-client-params.dynamodb.GetItem", lambda params, **_: asked.append(params)
    )

    DynamoApiKeys(client, NAME).find("0" * 16)

    assert asked == [{"TableName": NAME, "Key": {"id": {"S": "0" * 16}}, "ConsistentRead": True}]


@pytest.mark.parametrize(
    "spoilt",
    [
        {"scopes": {"L": [{"S": "admin"}]}},
        {"scopes": {"L": []}},
        {"created_at": {"S": "yesterday"}},
        {"revoked_at": {"S": ""}},
        {"secret_hash": None},
        {"origins": {"N": "1"}},
    ],
)
def test_an_item_that_cannot_be_read_is_neither_valid_nor_unknown(
    client: Any, spoilt: dict[str, Any]
) -> None:
    key = a_key(1)[1]
    item = {k: v for k, v in (key_item(key) | spoilt).items() if v is not None}
    client.put_item(TableName=NAME, Item=item)

    with pytest.raises(StoreError, match="cannot be read"):
        DynamoApiKeys(client, NAME).find(key.id)


# ---- the command line's side of the same table --------------------------------------------------


@pytest.fixture
def ring(client: Any) -> KeyRing:
    return KeyRing(Stack(client), now=lambda: NOON)


def test_a_made_key_is_what_functions_find(client: Any, ring: KeyRing) -> None:
    _, key = ring.create("shop", ["ingest"], ["HTTPS://shop.example.com:443"])

    assert DynamoApiKeys(client, NAME).find(key.id) == key
    assert key.origins == ("https://shop.example.com",)


def test_keys_are_listed_oldest_first_revoked_ones_too(client: Any, ring: KeyRing) -> None:
    made = [a_key(n, created_at=NOON - timedelta(hours=n))[1] for n in range(1, 6)]
    for key in made:
        client.put_item(TableName=NAME, Item=key_item(key))
    ring.revoke(made[2])

    assert [key.id for key in ring.every()] == [key.id for key in reversed(made)]
    assert [key.revoked_at for key in ring.every()] == [None, None, NOON, None, None]


def test_a_revocation_is_for_good_and_keeps_its_time(client: Any, ring: KeyRing) -> None:
    _, key = ring.create("", ["query"], [])
    later = KeyRing(Stack(client), now=lambda: NOON + timedelta(hours=1))

    assert ring.revoke(key).revoked_at == NOON
    assert later.revoke(key).revoked_at == NOON
    found = DynamoApiKeys(client, NAME).find(key.id)
    assert found == replace(key, revoked_at=NOON)


def test_a_key_that_is_not_there_cannot_be_revoked_into_being(client: Any, ring: KeyRing) -> None:
    with pytest.raises(KeyNotFoundError):
        ring.revoke(a_key(1)[1])

    assert ring.every() == []


def test_no_key_takes_the_place_of_another(client: Any) -> None:
    ring = KeyRing(Stack(client), entropy=bytes, now=lambda: NOON)
    ring.create("first", ["ingest"], [])

    with pytest.raises(client.exceptions.ConditionalCheckFailedException):
        ring.create("second", ["ingest"], [])
    assert [key.name for key in ring.every()] == ["first"]


@pytest.mark.parametrize(
    ("name", "scopes", "origins", "said"),
    [
        ("x" * 129, ["ingest"], [], "--name"),
        ("a\nb", ["ingest"], [], "--name"),
        ("", ["admin"], [], "--scope: a scope is one of ingest, query"),
        ("", ["ingest"], ["shop.example.com"], "--origin: an origin is"),
        ("", ["ingest"], [f"https://{n}.example" for n in range(51)], "at most 50"),
        ("", ["ingest", "query"], ["https://a.example"], "which everybody can read"),
        ("", ["query"], ["https://a.example"], "which everybody can read"),
    ],
)
def test_a_key_that_cannot_be_is_refused_and_not_made(
    ring: KeyRing, name: str, scopes: list[str], origins: list[str], said: str
) -> None:
    with pytest.raises(UsageProblemError, match=said):
        ring.create(name, scopes, origins)

    assert ring.every() == []


def test_an_item_survives_the_way_there_and_back() -> None:
    key = a_key(9, origins=("https://a.example",), revoked_at=NOON)[1]

    assert api_key(key_item(key)) == key
