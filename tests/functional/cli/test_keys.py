from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import boto3
import pytest
import typer
from moto import mock_aws

from common.adapters.api_keys import DynamoApiKeys, key_item
from common.domain.api_keys import is_valid, parse
from contract.tables import create_keys_table
from eventstream.commands import keys
from eventstream.load.client import API_KEY_VARIABLE, HttpApi
from fakes.api_keys import a_key
from functional.cli.running import Run

TABLE = "keys-1A2B3C"


class World:
    """Stands in for a target; its table is moto's."""

    stack_name = "eventstream-test"

    def __init__(self) -> None:
        self.dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        create_keys_table(self.dynamodb, TABLE)

    def client(self, service: str) -> Any:
        return {"dynamodb": self.dynamodb}[service]

    def resource(self, logical_id: str) -> str:
        return {"KeysTable": TABLE}[logical_id]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with mock_aws():
        made = World()
        monkeypatch.setattr(keys, "resolve", lambda *_: made)
        yield made


@pytest.fixture
def key_id(world: World) -> str:
    _, key = a_key(1, name="old shop", scopes=("ingest", "query"))
    world.dynamodb.put_item(TableName=TABLE, Item=key_item(key))
    return key.id


def test_a_new_key_goes_alone_to_stdout_and_works(world: World, run: Run) -> None:
    made = run("keys", "create", "--name", "web shop")

    presented = parse(made.out.removesuffix("\n"))
    assert made.code == 0
    assert presented is not None
    record = DynamoApiKeys(world.dynamodb, TABLE).find(presented.id)
    assert record is not None
    assert is_valid(presented, record)
    assert (record.name, record.scopes) == ("web shop", {"ingest"})
    assert f'created key {record.id} "web shop" (ingest) in stack eventstream-test at' in made.err
    assert "nobody can show it again" in made.err


def test_a_secret_is_shown_once_and_stored_nowhere(world: World, run: Run) -> None:
    text = run("keys", "create").out.strip()
    secret = text.split("_", 2)[2]

    told = [run("keys", "list"), run("keys", "list", "--json")]
    key_id = told[1].json["keys"][0]["id"]
    told.append(run("keys", "revoke", key_id, "--yes", "--json"))

    assert all(key_id in each.out for each in told)
    assert not any(secret in each.out + each.err for each in told)
    assert secret not in str(world.dynamodb.scan(TableName=TABLE)["Items"])


def test_a_browser_key_says_where_it_works(world: World, run: Run) -> None:
    made = run(
        "keys",
        "create",
        "--origin",
        "https://a.example",
        "--origin",
        "https://*.b.example",
        "--json",
    )

    assert made.err == ""
    assert made.json["origins"] == ["https://a.example", "https://*.b.example"]
    assert made.json["scopes"] == ["ingest"]
    assert made.json["stack"] == "eventstream-test"
    assert datetime.fromisoformat(made.json["created_at"])
    assert parse(made.json["key"]) is not None
    said = run("keys", "create", "--origin", "https://a.example").err
    assert "it works from these origins only: https://a.example" in said


def test_both_scopes_can_be_asked_for(world: World, run: Run) -> None:
    made = run("keys", "create", "--scope", "query", "--scope", "ingest", "--json")

    assert made.json["scopes"] == ["ingest", "query"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--scope", "admin"), "a scope is one of ingest, query"),
        (("--origin", "*"), "such as https://shop.example.com"),
        (("--scope", "query", "--origin", "https://a.example"), "everybody can read"),
        (("--no-such-option",), "No such option"),
    ],
)
def test_a_key_that_cannot_be_is_a_usage_error(
    world: World, run: Run, options: tuple[str, ...], said: str
) -> None:
    refused = run("keys", "create", *options)

    assert refused.code == 2
    assert said in refused.err
    assert refused.out == ""
    assert run("keys", "list", "--json").json == {"keys": []}


def test_the_list_shows_what_an_auditor_asks_for(world: World, run: Run, key_id: str) -> None:
    shown = run("keys", "list")
    listed = run("keys", "list", "--json").json["keys"]

    for word in ("id", "name", "scopes", "origins", "created_at", "revoked_at", key_id, "old shop"):
        assert word in shown.out
    assert "ingest, query" in shown.out
    assert listed == [
        {
            "id": key_id,
            "name": "old shop",
            "scopes": ["ingest", "query"],
            "origins": [],
            "created_at": "2026-11-20T12:00:00.000Z",
            "revoked_at": None,
        }
    ]


def test_an_empty_list_says_how_to_make_a_key(world: World, run: Run) -> None:
    shown = run("keys", "list")

    assert (shown.code, shown.out) == (0, "")
    assert "`eventstream keys create`" in shown.err


def test_a_revoked_key_is_told_by_id_name_stack_and_time(
    world: World, run: Run, key_id: str
) -> None:
    done = run("keys", "revoke", key_id, "--yes")
    [row] = run("keys", "list", "--json").json["keys"]

    assert (done.code, done.out) == (0, "")
    assert (
        f'revoked key {key_id} "old shop" (ingest, query) in stack eventstream-test at '
        f"{row['revoked_at']}" in done.err
    )
    assert "within 60 s it is refused everywhere" in done.err


def test_revoking_again_changes_nothing_and_says_so(world: World, run: Run, key_id: str) -> None:
    first = run("keys", "revoke", key_id, "--yes", "--json").json
    again = run("keys", "revoke", key_id)

    assert again.code == 0
    assert f"was revoked at {first['revoked_at']} already" in again.err


def test_a_leaked_key_can_be_given_itself(world: World, run: Run) -> None:
    text = run("keys", "create").out.strip()

    done = run("keys", "revoke", text, "--yes")

    assert done.code == 0
    assert text not in done.err
    assert run("keys", "list", "--json").json["keys"][0]["revoked_at"]


@pytest.mark.parametrize(("agreed", "code"), [(True, 0), (False, 1), (None, 1)])
def test_a_revocation_is_asked_about(
    run: Run, key_id: str, monkeypatch: pytest.MonkeyPatch, agreed: bool | None, code: int
) -> None:
    asked: list[str] = []

    def confirm(question: str, *, err: bool) -> bool:
        asked.append(question)
        assert err, "the question belongs to stderr: stdout is data"
        if agreed is None:  # nobody is there to answer
            raise typer.Abort
        return agreed

    monkeypatch.setattr(typer, "confirm", confirm)

    done = run("keys", "revoke", key_id, "--json")

    assert done.code == code
    assert ("nothing was revoked" in done.err) is not bool(agreed)
    [row] = run("keys", "list", "--json").json["keys"]
    assert (row["revoked_at"] is not None) is bool(agreed)
    assert key_id in asked[0]
    assert "old shop" in asked[0]


@pytest.mark.parametrize("given", ["0" * 16, f"es_{'0' * 16}_{'x' * 43}", "es_typo_secret"])
def test_a_key_that_is_not_there_fails_without_repeating_it(
    world: World, run: Run, given: str
) -> None:
    failed = run("keys", "revoke", given, "--yes")

    assert failed.code == 1
    assert "there is no such key" in failed.err
    assert given not in failed.err


def test_the_command_line_itself_sends_the_key_of_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(API_KEY_VARIABLE, " es_1_x\n")
    assert HttpApi("http://127.0.0.1:1")._headers["authorization"] == "Bearer es_1_x"

    monkeypatch.delenv(API_KEY_VARIABLE)
    assert "authorization" not in HttpApi("http://127.0.0.1:1")._headers
