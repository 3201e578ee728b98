"""Whatever a client sends, the answer is one of four, and the figures add up."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from common.errors import InvalidRequestError
from fakes.bodies import PATHS, a_random_body
from fakes.ingest_client import Answer, Post
from fakes.stream import MemorySink
from ingest import bodies

BODIES = 3000


def figures_of(answer: Answer) -> tuple[int, int, int]:
    body = answer.body
    if "results" in body:
        assert len(body["results"]) == body["accepted"] + body["rejected"] + body["retry"]
        return body["accepted"], body["rejected"], body["retry"]
    return int(answer.status == 200), int(answer.status != 200), 0


def test_any_body_is_answered_and_accounted_for(post: Post, sink: MemorySink) -> None:
    rng = random.Random(20_260_220)
    statuses: Counter[int] = Counter()
    accepted = 0
    for _ in range(BODIES):
        path = rng.choice(PATHS)
        answer = post(a_random_body(rng, path), path)
        statuses[answer.status] += 1
        accepted += figures_of(answer)[0]
        assert "x" * 300 not in json.dumps(answer.body)

    assert set(statuses) <= {200, 207, 400, 413}
    assert statuses[200] > BODIES * 0.3
    assert statuses[207] > BODIES * 0.02
    assert statuses[400] > BODIES * 0.3
    assert accepted == len(sink.events())


def test_a_reader_that_only_catches_bad_json_fails_the_function(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    def naive(data: bytes, _name: str = "body") -> object:
        try:
            return json.loads(data)
        except json.JSONDecodeError:
            raise InvalidRequestError("no JSON") from None

    monkeypatch.setattr(bodies, "decode", naive)
    rng = random.Random(20_260_220)
    failed = 0
    for _ in range(BODIES // 10):
        path = rng.choice(PATHS)
        try:
            post(a_random_body(rng, path), path)
        except (RecursionError, UnicodeError):
            failed += 1

    assert failed > 10
