"""What the documentation shows, and the sample events hold, is what the function answers."""

from __future__ import annotations

import json
import random
import re
import shlex
from pathlib import Path

import pytest

from common.errors import EventStreamError
from common.http import STATUS
from fakes import rules
from fakes.bodies import PATHS, a_random_body
from fakes.ingest_builders import LambdaContext
from fakes.ingest_client import Post
from ingest import bodies, handler, judging, payload, routes

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "api.md").read_text().partition("## Reading")[0]
EXAMPLE = re.compile(
    r"```sh\n(curl .*?)```\n\nAnswer `(\d+)`[^\n]*:\n\n```json\n(.*?)```", re.DOTALL
)
EXAMPLES = EXAMPLE.findall(PAGE)
REQUEST_ID = "ZxY1abCdEfGhIjk="


def test_every_curl_on_the_page_is_an_example_with_its_answer() -> None:
    assert len(EXAMPLES) == PAGE.count("curl ") >= 5


@pytest.mark.parametrize(("command", "status", "answer"), EXAMPLES)
def test_an_example_is_answered_as_the_page_says(
    post: Post, command: str, status: str, answer: str
) -> None:
    curl, method, verb, url, *header, data, body = shlex.split(command)
    assert (curl, method, verb, data) == ("curl", "-X", "POST", "-d")
    assert header[:1] in ([], ["-H"])
    headers = {"content-type": header[1].removeprefix("Content-Type: ")} if header else {}

    given = post(body, url.removeprefix("$API"), request_id=REQUEST_ID, headers=headers)

    assert (given.status, given.body) == (int(status), json.loads(answer))


def test_every_rule_and_code_that_a_client_can_meet_is_on_the_page(post: Post) -> None:
    rng = random.Random(7)
    met: set[str] = set()
    for _ in range(1000):
        path = rng.choice(PATHS)
        body = post(a_random_body(rng, path), path).body
        met |= {error["rule"] for error in body.get("errors", [])}
        met |= {row["error"]["rule"] for row in body.get("results", []) if "error" in row}

    assert len(met) > 12
    assert {rule for rule in met if f"`{rule}`" not in PAGE} == set()


ELSEWHERE = frozenset({"common/domain/bad_lines.py", "common/domain/decode.py"})
"""Rules of what the stream holds, which no client is told of."""


def test_every_rule_in_the_code_is_on_the_page() -> None:
    found = rules.in_files(
        each
        for folder in ("ingest", "common/domain")
        for each in sorted((ROOT / "src" / folder).rglob("*.py"))
        if str(each.relative_to(ROOT / "src")) not in ELSEWHERE
    )

    assert found.unknown == {}
    assert len(found.rules) > 20
    assert {rule for rule in found.rules if f"`{rule}" not in PAGE} == set()


def test_a_rule_that_is_new_is_noticed(tmp_path: Path) -> None:
    new = tmp_path / "new.py"
    new.write_text('raise refuse("x", "brand_new", "must not")\nFieldError("x", made_up(), "no")\n')

    found = rules.in_files([new])

    assert found.rules == {"brand_new"}
    assert list(found.unknown.values()) == ["made_up()"]


def test_every_error_that_a_client_can_be_answered_is_on_the_page() -> None:
    answered = {
        kind.code
        for kind, status in STATUS.items()
        if kind is not EventStreamError and status != 500 and kind.code != "condition_lost"
    }

    assert {code for code in answered if f"`{code}`" not in PAGE} == set()


@pytest.mark.parametrize("path", [*routes.PATHS, *routes.PATTERNS])
def test_every_route_is_on_the_page(path: str) -> None:
    of_jitsu = path.rpartition("/")[0] + "/{type}" if path.startswith("/api/s/") else path

    assert f"{of_jitsu}`" in PAGE


def test_a_route_that_is_not_on_the_page_is_noticed() -> None:
    assert "/v1/unknown`" not in PAGE


@pytest.mark.parametrize(
    "limit",
    [payload.MAX_BODY_BYTES, payload.MAX_DECODED_BYTES, bodies.MAX_EVENTS, judging.MAX_EVENT_BYTES],
)
def test_the_limits_are_on_the_page(limit: int) -> None:
    assert f"{limit:,}" in PAGE


SAMPLES = {
    "http-post-event.json": 200,
    "http-post-event-base64.json": 200,
    "http-post-typed.json": 200,
    "http-post-batch.json": 200,
    "http-post-batch-mixed.json": 207,
    "http-post-invalid.json": 400,
    "http-post-not-json.json": 400,
}


def test_every_sample_of_a_post_is_tried() -> None:
    assert {path.name for path in (ROOT / "events").glob("http-post-*.json")} == set(SAMPLES)


@pytest.mark.usefixtures("post")
@pytest.mark.parametrize(("name", "status"), SAMPLES.items())
def test_a_sample_event_is_answered_as_its_name_says(name: str, status: int) -> None:
    event = json.loads((ROOT / "events" / name).read_text())

    assert handler.lambda_handler(event, LambdaContext())["statusCode"] == status
