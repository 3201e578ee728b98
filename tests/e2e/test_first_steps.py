"""What a reader of README does first: one event by curl, and its number."""

from __future__ import annotations

import json
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator

import pytest

from e2e.client import post_json
from e2e.conftest import MakePipeline
from e2e.local_pipeline import LocalPipeline
from eventstream.local import stopping
from fakes.waiting import wait_for

pytestmark = pytest.mark.e2e

SHOWN_WITHIN_S = 15.0
"""From the 200 to the number in /metrics, with the template's own batch window of 10 s."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPipeline]:
    made = LocalPipeline(tmp_path_factory.mktemp("first-steps"))
    made.start()
    yield made
    stopping.stop(made.state)


def test_an_event_is_accepted_and_soon_in_the_numbers(running: LocalPipeline) -> None:
    status, receipt = post_json(f"{running.url}/events", {"event_type": "warm_up"})
    assert (status, receipt["status"]) == (200, "accepted")
    wait_for("first number", lambda: running.counted("warm_up"), 90.0)

    body = {"event_type": "page_view", "user_id": "user-1", "properties": {"page": "/pricing"}}
    status, receipt = post_json(f"{running.url}/events", body)

    assert status == 200
    assert receipt["event_id"]
    wait_for("number", lambda: running.counted("page_view") == 1, SHOWN_WITHIN_S)


def test_a_wrong_event_is_refused_by_field_and_rule(running: LocalPipeline) -> None:
    wrong = {"event_type": "purchase", "latency_ms": -1, "colour": "red"}

    status, problem = post_json(f"{running.url}/events", wrong)

    assert status == 400
    assert {(each["field"], each["rule"]) for each in problem["errors"]} == {
        ("latency_ms", "out_of_range"),
        ("colour", "unknown_field"),
    }
    assert "red" not in json.dumps(problem)
    assert wait_for("health", lambda: running.get("/health")["status"]) == "ok"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_command_among_the_outputs_works_as_it_is(running: LocalPipeline) -> None:
    command = shlex.split(running.started["outputs"]["FirstEventCommand"])

    done = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert json.loads(done.stdout)["status"] == "accepted"


def test_the_sample_requests_are_answered_as_their_names_say(running: LocalPipeline) -> None:
    for name, status in (("event", 200), ("invalid", 400), ("batch-mixed", 207), ("typed", 200)):
        sample = f"events/http-post-{name}.json"
        assert running.must("invoke", "IngestFunction", sample).json["statusCode"] == status, name


def test_a_second_pipeline_on_the_folder_or_the_port_is_refused_in_one_line(
    running: LocalPipeline, pipeline: MakePipeline
) -> None:
    again = running.run("dev", "--port", "0")
    other = pipeline()
    taken = other.run("dev", "--detach", "--port", str(running.port))

    assert again.code == 1
    assert f"already running at {running.url}" in again.err
    assert taken.code == 1
    assert f"port {running.port} is taken" in taken.err
    assert [again.err.count("\n"), taken.err.count("\n")] == [1, 1]


def test_a_port_that_another_program_has_is_told(pipeline: MakePipeline) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        made = pipeline()

        refused = made.run("dev", "--port", str(other.getsockname()[1]))

    assert refused.code == 1
    assert "is taken by another program" in refused.err
    assert made.run("stop").out == "nothing was running\n"
