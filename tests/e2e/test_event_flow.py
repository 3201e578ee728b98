"""A second event flow, added to the template as docs/event-flows.md says, on the real pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from common.domain.windows import rfc3339
from e2e.client import deliver
from e2e.project import Project
from eventstream.local import stopping
from fakes import second_flow
from fakes.waiting import wait_for

pytestmark = pytest.mark.e2e

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("flow")
    made = Project(
        folder / "state",
        {"BatchWindowSeconds": "1"},
        root=second_flow.project(folder / "project"),
    )
    made.start()
    yield made
    stopping.stop(made.state)


def post(running: Project, *counts: tuple[str, int]) -> None:
    """Send events of several types in one request."""
    events = [
        {
            "event_id": f"{event_type}-{number}",
            "event_type": event_type,
            "user_id": f"user-{number % 7}",
            "timestamp": rfc3339(NOW - timedelta(seconds=number)),
        }
        for event_type, count in counts
        for number in range(count)
    ]
    deliver(running.url, events)


def test_events_of_a_family_take_its_stream_and_meet_the_others_in_the_lake(
    running: Project,
) -> None:
    post(running, ("page_view", 40), ("order_created", 60))

    running.wait_for_lake(100)

    assert running.lake_counts() == {"page_view": 40, "order_created": 60}
    rows = running.sql("SELECT event_type, stream, count(*) AS n FROM events GROUP BY 1, 2")
    target = running.target()
    assert {(row["event_type"], row["stream"], int(row["n"])) for row in rows} == {
        ("page_view", target.resource("EventStream"), 40),
        ("order_created", target.resource("OrderFlowStream"), 60),
    }
    for event_type, count in (("page_view", 40), ("order_created", 60)):
        wait_for(
            f"counters of {event_type}",
            lambda t=event_type, n=count: running.counted(t) == n,
        )


def test_the_functions_are_told_the_names_of_what_was_deployed(running: Project) -> None:
    target = running.target()

    def variables(function: str) -> dict[str, str]:
        found = target.client("lambda").get_function_configuration(
            FunctionName=target.resource(function)
        )
        variables: dict[str, str] = found["Environment"]["Variables"]
        return variables

    stream, function = (
        target.resource(name) for name in ("OrderFlowStream", "OrderFlowProcessFunction")
    )
    assert variables("IngestFunction")["STREAM_ROUTES"] == f"order={stream}"
    assert variables("AggregateFunction")["FLOWS"] == f"{stream}/{function}"
