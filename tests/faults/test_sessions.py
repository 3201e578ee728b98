"""People's sessions under every order and every fault, and ways to keep them that must fail.

``pytest tests/faults/test_sessions.py -s --schedules 20000`` runs them at full length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.domain.sessions import Person, RecordSightings, Session, SessionRules, Sighting
from common.domain.timelines import Timeline, applied, not_applied
from faults.families import BISECT, CRASH, EVERYTHING, MILD, REGRESS, RESHARD, ZOMBIES, schedules
from faults.session_controls import WithoutMarks, WithoutVersions, by_arrival
from faults.session_flows import FlowVerdicts, at_once, run_flows
from faults.session_simulation import SessionVerdicts, Streams, run_sessions
from faults.session_traffic import RULES, Visit, by_sorting
from faults.simulation import Family
from faults.stepping import Runners

# With sessions a batch has three times the calls: at 10 % hardly one would come through.
_FAMILIES = tuple(
    replace(family, rates=MILD) for family in (CRASH, BISECT, REGRESS, ZOMBIES, RESHARD, EVERYTHING)
)
_FLOWS = Streams("two flows, everything but splits", REGRESS.mapping, late_calls=True, rates=MILD)
_PER_FAMILY = 30
_MOST_PER_FAMILY = 2_000
_PERSON = Person("user", "u1")
_MINUTE_MS = 60_000

Say = Callable[[str], None]


def _line(name: str, of: SessionVerdicts) -> str:
    return (
        f"sessions: {name:<48}{of.schedules:>9}{of.deliveries:>11}"
        f"  {of.wrong} schedules wrong; of {of.people} people {of.people_wrong} wrong"
        f" ({of.over} +, {of.lost} -)"
    )


@st.composite
def _visits(draw: st.DrawFn) -> list[Visit]:
    """Some events around the gap, in any order; a few of them the client's sessions."""
    count = draw(st.integers(1, 24))
    minutes = st.integers(0, 400) | st.sampled_from([0, 30, 60, 90, 120, 150])
    return [
        Visit(
            event_id=str(number),
            person=_PERSON,
            at_ms=draw(minutes) * _MINUTE_MS + draw(st.sampled_from((0, 0, 1, -1))) + 10**9,
            arrived_ms=10**9 + 500 * _MINUTE_MS,
            client_id=draw(st.sampled_from((None, None, None, "a", "b"))),
            replayed=draw(st.integers(0, 9)) == 0,
        )
        for number in range(count)
    ]


def _timeline(visits: list[Visit], rng: Random, rules: SessionRules = RULES) -> Timeline:
    """Add the events one after another, on one of three shards each, some batches twice."""
    stored: Timeline | None = None
    numbers = dict.fromkeys("abc", 0)
    records: list[RecordSightings] = []
    for visit in visits:
        shard = rng.choice("abc")
        numbers[shard] += rng.randint(1, 3)
        seen = Sighting(visit.at_ms, visit.arrived_ms, visit.client_id, not visit.replayed)
        records.append(RecordSightings(shard, f"{numbers[shard]:03d}", (seen,)))
    done = 0
    while done < len(records):
        begin, end = rng.randint(0, done), rng.randint(done + 1, len(records))
        fresh = not_applied(records[begin:end], stored)
        stored = applied(stored, fresh, rules) if fresh else stored
        done = end
    assert stored is not None
    return stored


@settings(max_examples=schedules(400, at_most=20_000))
@given(_visits(), st.randoms(use_true_random=False))
def test_any_order_of_events_gives_the_sessions_of_the_sorted_ones(
    visits: list[Visit], rng: Random
) -> None:
    truth = by_sorting(visits, RULES.gap_ms)
    rng.shuffle(visits)

    found = _timeline(visits, rng).sessions

    assert found == truth
    assert [s.id_of(_PERSON) for s in found] == [s.id_of(_PERSON) for s in truth]


def test_comparing_with_the_last_event_that_arrived_is_wrong_in_most_orders(
    report_line: Say,
) -> None:
    wrong, runs = 0, schedules(400, at_most=20_000)
    rng = Random("arrival")
    for _ in range(runs):
        visits = [
            Visit("", _PERSON, rng.randrange(400) * _MINUTE_MS, 10**9, None, False)
            for _ in range(rng.randint(2, 24))
        ]
        truth = by_sorting(visits, RULES.gap_ms)
        rng.shuffle(visits)
        wrong += tuple(sorted(by_arrival(visits, RULES.gap_ms), key=lambda s: s.start_ms)) != truth
    report_line(f"CONTROL sessions by the last event that arrived: {wrong} of {runs} orders wrong")

    assert wrong > 0.7 * runs


def _must_happen(family: Family) -> set[str]:
    names = {"crashed before", "crashed after", "refused", "answer lost", "sent twice"}
    names |= {"person lost", "person written", "neighbour of a lost one"}
    names |= {"bisected"} if family.mapping.bisect else set()
    names |= {"regressed"} if family.mapping.regress else set()
    names |= (
        {"split shards", "people on several shards"} if family.reshard else {"dropped sessions"}
    )
    if isinstance(family, Streams):
        names = names - {"dropped sessions"} | {"people on several shards"}
    late = {"lands late", "lands late and again", "ran on beside its retry"}
    return names | (late if family.late_calls else set())


@pytest.mark.parametrize(
    "family", [pytest.param(family, id=family.name) for family in (*_FAMILIES, _FLOWS)]
)
def test_sessions_are_exact_whatever_fails(
    family: Family, runners: Runners, report_line: Say
) -> None:
    verdicts = run_sessions(family, schedules(_PER_FAMILY, at_most=_MOST_PER_FAMILY), runners)
    report_line(_line(family.name, verdicts))

    assert (verdicts.people_wrong, verdicts.lines_wrong) == (0, 0)
    assert {name for name in _must_happen(family) if not verdicts.seen[name]} == set()


def test_writing_without_a_version_loses_what_others_wrote(
    runners: Runners, report_line: Say
) -> None:
    family = replace(RESHARD, rates=(0.01,))
    verdicts = run_sessions(family, schedules(100, at_most=1_000), runners, WithoutVersions)
    report_line(_line(f"CONTROL unversioned: {family.name}", verdicts))

    assert verdicts.lost > 0
    assert verdicts.wrong > 0.2 * verdicts.schedules


def test_writing_without_a_version_loses_what_other_flows_wrote(
    runners: Runners, report_line: Say
) -> None:
    family = replace(_FLOWS, rates=(0.01,))
    verdicts = run_sessions(family, schedules(100, at_most=1_000), runners, WithoutVersions)
    report_line(_line(f"CONTROL unversioned: {family.name}", verdicts))

    assert verdicts.lost > 0
    assert verdicts.wrong > 0.2 * verdicts.schedules


def _flows_line(name: str, of: FlowVerdicts) -> str:
    return (
        f"sessions: {name:<48}{of.runs:>9}{of.seen['deliveries']:>11}"
        f"  {of.wrong} wrong; of {of.batches} batches {of.seen['redelivered']} redelivered;"
        f" {of.seen['met']} met another write, {of.seen['lost']} lost to one"
    )


def test_flows_that_write_the_same_people_settle_without_a_redelivery(
    runners: Runners, report_line: Say
) -> None:
    verdicts = run_flows(schedules(40, at_most=2_000), runners)
    report_line(_flows_line("2 to 4 flows at the same instants", verdicts))

    assert (verdicts.wrong, verdicts.seen["redelivered"]) == (0, 0)
    assert verdicts.seen["met"] > verdicts.batches / 10
    assert verdicts.seen["lost"] > verdicts.batches / 10


def test_trying_again_at_once_has_batches_of_flows_redelivered(
    runners: Runners, report_line: Say
) -> None:
    verdicts = run_flows(schedules(40, at_most=500), runners, at_once)
    report_line(_flows_line("CONTROL no pause: 2 to 4 flows", verdicts))

    assert verdicts.wrong == 0
    assert verdicts.seen["redelivered"] > verdicts.batches / 20


def test_writing_without_marks_counts_events_again(runners: Runners, report_line: Say) -> None:
    family = replace(CRASH, rates=(0.06,))
    verdicts = run_sessions(family, schedules(60, at_most=1_000), runners, WithoutMarks)
    report_line(_line(f"CONTROL no marks: {family.name}", verdicts))

    assert verdicts.wrong > 0.9 * verdicts.schedules
    assert verdicts.over > 0.5 * verdicts.people
    assert verdicts.lost == 0


def test_the_sessions_of_a_person_are_known_to_be_of_them_alone() -> None:
    session = Session(5, 6, 1)

    assert session.id_of(Person("user", "1")) != session.id_of(Person("anonymous", "1"))
