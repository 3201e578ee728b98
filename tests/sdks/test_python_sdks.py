"""Unmodified Python SDKs, only their host changed, lose nothing and send nothing twice.

Each is driven in calm, through refusals and broken connections on the way, and while the stream
behind the API fails some entries, some calls and some answers.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sdks import scenarios
from sdks.front import Fault, Front
from sdks.judge import problems
from sdks.scenarios import Scenario
from sdks.sending import python, send, send_all
from sdks.world import World

pytestmark = pytest.mark.e2e

SENDERS = {
    "segment": python("segment", 50),
    "segment.gzip": python("segment", 50, gzip=True),
    "rudder": python("rudder", 50),
    "rudder.gzip": python("rudder", 50, gzip=True),
    "amplitude": python("amplitude", 43, is_stubborn=False),
    "cloudevents": python("cloudevents", 32),
    "cloudevents.gzip": python("cloudevents", 32, gzip=True),
}
TROUBLE = (Fault("refuse"), Fault("cut"), Fault("forget"), Fault("refuse", status=429))

Played = Mapping[str, Scenario]


@pytest.fixture(scope="module")
def played(world: World) -> Played:
    return scenarios.play(world, SENDERS, TROUBLE)


@pytest.mark.parametrize("name", SENDERS)
@pytest.mark.parametrize("scenario", scenarios.NAMES)
def test_every_event_is_in_the_lake_once_and_as_it_was_sent(
    played: Played, scenario: str, name: str
) -> None:
    outcome, lake = played[scenario].outcomes[name], played[scenario].lake

    assert problems(outcome.sent, lake.get(outcome.run, [])) == []


@pytest.mark.parametrize("name", SENDERS)
@pytest.mark.parametrize("scenario", scenarios.NAMES)
def test_the_sdk_reports_success(played: Played, scenario: str, name: str) -> None:
    outcome = played[scenario].outcomes[name]

    assert outcome.errors == []
    assert len(outcome.sent) == SENDERS[name].count


def test_the_faults_were_met(played: Played, world: World) -> None:
    """The control of the two above: without faults they would prove less."""
    outcomes = played["trouble"].outcomes.values()

    assert all(200 in statuses for statuses in played["calm"].statuses().values())
    assert all(outcome.front.faults_left == 0 for outcome in outcomes)
    assert all(503 in statuses for statuses in played["failing"].statuses().values())
    assert set(world.stream.counts) >= {"calls refused", "answers lost", "entries failed"}


@pytest.mark.parametrize("scenario", ["trouble", "failing"])
def test_without_the_dedupe_events_would_be_there_twice(played: Played, scenario: str) -> None:
    """The control of exactly once: what was sent again is in the lake, and only set aside."""
    outcomes, raw = played[scenario].outcomes.values(), played[scenario].raw

    found = [problem for each in outcomes for problem in problems(each.sent, raw[each.run])]

    assert any("is there 2 times" in problem for problem in found)


def test_a_batch_that_never_arrives_is_noticed(world: World) -> None:
    """The control of the harness: the SDK is told of success, and only the lake knows better."""
    front = Front(world.servers, world.url, [Fault("swallow")])
    outcome = send(SENDERS["segment"], "swallowed", front)
    world.drain()

    found = problems(outcome.sent, world.rows("swallowed")["swallowed"])

    assert outcome.errors == []
    assert found
    assert all("is there 0 times" in problem for problem in found)


def test_a_batch_that_arrives_under_other_ids_too_is_noticed(world: World) -> None:
    """The control of the harness: a copy that no dedupe can know."""
    front = Front(world.servers, world.url, [Fault("double")])
    outcome = send(SENDERS["segment"], "doubled", front)
    world.drain()

    found = problems(outcome.sent, world.rows("doubled")["doubled"])

    assert outcome.errors == []
    assert found
    assert all("was never sent" in problem for problem in found)


def test_the_write_key_of_each_sdk_names_the_source(world: World) -> None:
    key_id, key = world.make_key()
    senders = {name: SENDERS[name] for name in ("segment", "rudder.gzip", "amplitude")}

    outcomes = send_all(senders, "keyed", world.servers, world.url, key=key).values()
    world.drain()
    lake = world.rows("keyed")

    assert [each.errors for each in outcomes] == [[], [], []]
    assert [problems(each.sent, lake[each.run]) for each in outcomes] == [[], [], []]
    assert {row["source"] for rows in lake.values() for row in rows} == {key_id}


@pytest.mark.parametrize("name", ["segment", "rudder"])
def test_an_sdk_with_a_wrong_key_says_so_and_does_not_try_again(world: World, name: str) -> None:
    _, key = world.make_key()
    front = Front(world.servers, world.url)

    outcome = send(SENDERS[name], f"wrong-{name}", front, key=_another(key))

    assert {seen.status for seen in front.posts()} == {401}
    assert len(outcome.errors) == len(front.posts())


def _another(key: str) -> str:
    """Return a key of the same form and id whose secret is another."""
    return key[:-1] + ("A" if key[-1] != "A" else "B")
