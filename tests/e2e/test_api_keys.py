"""A pipeline that wants API keys: made by the command line, asked for over HTTP."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from e2e.client import ask_until_answered
from e2e.local_pipeline import LocalPipeline
from eventstream.local import stopping

pytestmark = pytest.mark.e2e

EVENT = b'{"event_type": "page_view", "user_id": "user-1"}'
PAGE = "https://shop.example.com"


def ask(
    pipeline: LocalPipeline,
    path: str,
    body: bytes | None = None,
    method: str | None = None,
    **headers: str,
) -> tuple[int, dict[str, str], Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    status, given, text = ask_until_answered(pipeline.url + path, body, named, method)
    return status, given, json.loads(text) if text else None


def status_of(pipeline: LocalPipeline, path: str, key: str, body: bytes | None = None) -> int:
    return ask(pipeline, path, body, authorization=f"Bearer {key}")[0]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPipeline]:
    made = LocalPipeline(
        tmp_path_factory.mktemp("api-keys"),
        {"RequireApiKey": "true", "BatchWindowSeconds": "1", "CorsAllowedOrigins": PAGE},
    )
    made.start()
    yield made
    stopping.stop(made.state)


def create(pipeline: LocalPipeline, *options: str) -> dict[str, Any]:
    made: dict[str, Any] = pipeline.must("keys", "create", *options, "--json").json
    return made


def test_without_a_key_only_health_answers(running: LocalPipeline) -> None:
    status, headers, body = ask(running, "/events", EVENT)

    assert (status, body["code"]) == (401, "unauthorized")
    assert "eventstream keys create" in body["message"]
    assert headers["www-authenticate"] == 'Bearer realm="eventstream"'
    assert ask(running, "/metrics")[0] == 401
    assert ask(running, "/health")[0] == 200
    assert running.run("send", "page_view").code == 1


def test_each_key_does_what_its_scope_says(running: LocalPipeline) -> None:
    sender = create(running, "--name", "sender")
    reader = create(running, "--scope", "query")
    basic = base64.b64encode(f"{sender['key']}:".encode()).decode()

    assert status_of(running, "/events", sender["key"], EVENT) == 200
    assert ask(running, "/events", EVENT, authorization=f"Basic {basic}")[0] == 200
    assert ask(running, f"/events?writeKey={sender['key']}", EVENT)[0] == 200
    assert status_of(running, "/metrics", sender["key"]) == 403
    assert status_of(running, "/metrics", reader["key"]) == 200
    assert status_of(running, "/events", reader["key"], EVENT) == 403
    assert status_of(running, "/events", sender["key"][:-1] + "~", EVENT) == 401
    running.wait_for_lake(3)
    rows = running.sql("SELECT DISTINCT source FROM events")
    assert rows == [{"source": sender["id"]}]


def test_a_revoked_key_is_refused(running: LocalPipeline) -> None:
    key = create(running)
    running.must("keys", "revoke", key["id"], "--yes")

    status, _, body = ask(running, "/events", EVENT, x_api_key=key["key"])

    assert (status, body["code"]) == (401, "unauthorized")
    listed = running.must("keys", "list", "--json").json["keys"]
    assert [row["revoked_at"] for row in listed if row["id"] == key["id"]] != [None]


def test_a_browser_key_works_on_its_page_only(running: LocalPipeline) -> None:
    key = create(running, "--origin", PAGE)["key"]

    allowed, headers, _ = ask(running, "/events", EVENT, x_write_key=key, origin=PAGE)
    assert (allowed, headers["access-control-allow-origin"]) == (200, PAGE)
    assert headers["access-control-expose-headers"] == "retry-after"
    assert ask(running, "/events", EVENT, x_write_key=key, origin="https://evil.example")[0] == 403
    assert ask(running, "/events", EVENT, x_write_key=key)[0] == 403


def test_a_preflight_is_answered_without_a_key_with_what_sdks_send(running: LocalPipeline) -> None:
    status, headers, _ = ask(
        running,
        "/events",
        method="OPTIONS",
        origin=PAGE,
        access_control_request_method="POST",
        access_control_request_headers="authorization,x-retry-count",
    )

    assert status == 204
    assert headers["access-control-allow-origin"] == PAGE
    assert headers["access-control-max-age"] == "86400"
    assert set(headers["access-control-allow-methods"].split(",")) == {"GET", "POST", "OPTIONS"}
    assert set(headers["access-control-allow-headers"].split(",")) == {
        "anonymousid",
        "authorization",
        "content-encoding",
        "content-type",
        "idempotency-key",
        "sentat",
        "x-api-key",
        "x-retry-count",
        "x-write-key",
    }


def test_no_secret_is_in_a_log_or_in_the_table(running: LocalPipeline) -> None:
    key = create(running)
    for path in (f"/events?api_key={key['key']}", f"/events/x?write_key={key['key']}"):
        assert ask(running, path, b'{"event_type": "x"}')[0] in (200, 400)
    secret = key["key"].split("_", 2)[2]
    table = running.target().resource("KeysTable")
    items = running.target().client("dynamodb").scan(TableName=table)["Items"]

    assert key["id"] in str(items)
    assert secret not in str(items)
    logs = [path.read_text(errors="replace") for path in running.state.logs.glob("*")]
    assert logs
    assert not any(secret in text for text in logs)
