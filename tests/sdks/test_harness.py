"""The SDK tests' own tools do what the tests rely on; each sender works against a mere stub."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import requests
from aiohttp import web

from sdks.front import SUCCESS, Fault, Front
from sdks.judge import problems
from sdks.sending import HERE, python, send, send_all
from sdks.servers import Servers

AN_EVENT = {
    "event_id": "e1",
    "event_type": "purchase",
    "at": "2026-11-20T10:00:00.123456+01:00",
    "user_id": "u1",
    "anonymous_id": None,
    "properties": {"n": 1},
}
ITS_ROW = {
    "event_id": "e1",
    "event_type": "purchase",
    "timestamp": "2026-11-20T09:00:00.123Z",
    "user_id": "u1",
    "anonymous_id": None,
    "properties": '{"n":1,"more":2}',
}


class Stub:
    """Answers every request with success and keeps the bodies."""

    def __init__(self, servers: Servers) -> None:
        self.documents: list[Any] = []
        self.url = servers.serve(self._handle)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        plain = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        if request.method == "POST":
            self.documents.append(json.loads(plain))
        return web.json_response(SUCCESS, headers={"Access-Control-Expose-Headers": "retry-after"})

    def ids(self) -> list[str]:
        return [message["messageId"] for each in self.documents for message in each["batch"]]


@pytest.fixture
def stub(local_servers: Servers) -> Stub:
    return Stub(local_servers)


def test_an_event_that_is_there_once_and_as_sent_is_no_problem() -> None:
    assert problems([AN_EVENT], [ITS_ROW]) == []


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        pytest.param([], "is there 0 times", id="lost"),
        pytest.param([ITS_ROW, ITS_ROW], "is there 2 times", id="twice"),
        pytest.param([ITS_ROW, {**ITS_ROW, "event_id": "e2"}], "was never sent", id="a stranger"),
        pytest.param([{**ITS_ROW, "event_type": "Purchase"}], "event_type", id="another type"),
        pytest.param([{**ITS_ROW, "user_id": None}], "user_id", id="nobody's"),
        pytest.param([{**ITS_ROW, "timestamp": "2026-11-20T09:00:00.124Z"}], "at", id="later"),
        pytest.param([{**ITS_ROW, "properties": '{"n":"1"}'}], "properties.n", id="as text"),
    ],
)
def test_what_differs_is_told(rows: list[dict[str, Any]], told: str) -> None:
    [problem] = problems([AN_EVENT], rows)

    assert told in problem


def test_a_client_goes_through_every_fault_and_arrives(stub: Stub, local_servers: Servers) -> None:
    faults = [Fault("refuse"), Fault("cut"), Fault("forget"), Fault("refuse", status=429)]
    front = Front(local_servers, stub.url, faults)

    outcome = send(python("segment", 50), "run", front)

    assert front.faults_left == 0
    assert outcome.errors == []
    assert len(outcome.sent) == 50
    assert {event["event_id"] for event in outcome.sent} == set(stub.ids())
    assert len(stub.ids()) > 50
    assert [seen.status for seen in front.posts()][:4] == [503, None, None, 429]


def test_a_refusal_carries_the_cors_headers_of_the_api(stub: Stub, local_servers: Servers) -> None:
    front = Front(local_servers, stub.url, [Fault("refuse", status=429, retry_after_s=2)])

    answer = requests.post(front.url, headers={"Origin": "http://shop.example"}, timeout=10)

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
    assert answer.headers["Access-Control-Expose-Headers"] == "retry-after"
    assert stub.documents == []


def test_every_python_sdk_reports_success_to_a_stub(stub: Stub, local_servers: Servers) -> None:
    senders = {
        "segment": python("segment", 50),
        "rudder": python("rudder", 50, gzip=True),
        "amplitude": python("amplitude", 43, is_stubborn=False),
        "cloudevents": python("cloudevents", 32, gzip=True),
    }

    outcomes = send_all(senders, "run", local_servers, stub.url, [Fault("refuse")])

    assert {name: len(outcome.sent) for name, outcome in outcomes.items()} == {
        name: sender.count for name, sender in senders.items()
    }
    assert all(outcome.errors == [] for outcome in outcomes.values())


def test_the_lock_of_the_node_packages_names_no_registry() -> None:
    locked = json.loads((HERE / "node" / "package-lock.json").read_text())["packages"]
    packages = {name: each for name, each in locked.items() if name}

    assert all(each["integrity"] for each in packages.values())
    assert not any("resolved" in each for each in packages.values())
