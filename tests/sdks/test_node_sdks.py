"""The SDKs for Node.js, only their host changed, lose nothing and send nothing twice."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sdks import scenarios
from sdks.front import Fault
from sdks.judge import problems
from sdks.nodes import node_sender
from sdks.scenarios import Scenario
from sdks.sending import Sender
from sdks.world import World

pytestmark = pytest.mark.sdks

NAMES = ("segment", "rudder", "rudder.gzip")
COUNT = 50
TROUBLE = (Fault("refuse"), Fault("cut"), Fault("forget"))
"""RudderStack's sends a batch four times at most, and may spend them all on one."""

Played = Mapping[str, Scenario]


def sender(name: str) -> Sender:
    sdk, _, gzip = name.partition(".")
    return node_sender(sdk, COUNT, gzip=bool(gzip))


@pytest.fixture(scope="module")
def played(world: World) -> Played:
    return scenarios.play(world, {name: sender(name) for name in NAMES}, TROUBLE)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scenario", scenarios.NAMES)
def test_every_event_is_in_the_lake_once_and_as_it_was_sent(
    played: Played, scenario: str, name: str
) -> None:
    outcome, lake = played[scenario].outcomes[name], played[scenario].lake

    assert problems(outcome.sent, lake.get(outcome.run, [])) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scenario", scenarios.NAMES)
def test_the_sdk_reports_success(played: Played, scenario: str, name: str) -> None:
    outcome = played[scenario].outcomes[name]

    assert outcome.errors == []
    assert len(outcome.sent) == COUNT


def test_the_faults_were_met(played: Played, world: World) -> None:
    """The control of the two above: without faults they would prove less."""
    outcomes = played["trouble"].outcomes.values()

    assert all(200 in statuses for statuses in played["calm"].statuses().values())
    assert all(outcome.front.faults_left == 0 for outcome in outcomes)
    assert all(503 in statuses for statuses in played["failing"].statuses().values())
    assert world.stream.counts["answers lost"] > 0
