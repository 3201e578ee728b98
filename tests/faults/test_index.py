"""The event index under every fault: events sent again, hours later, count once.

``pytest tests/faults/test_index.py -s --schedules 10000`` runs more of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from faults.families import (
    BISECT,
    CRASH,
    DISCARD,
    EVERYTHING,
    MILD,
    REGRESS,
    RESHARD,
    ZOMBIES,
    schedules,
)
from faults.index_controls import (
    WRITES_LAST,
    IgnoresThePosition,
    LetsAllReplayedThrough,
    LooksFirst,
    no_index,
)
from faults.index_simulation import IndexVerdicts, run_index
from faults.simulation import Family
from faults.stepping import Runners

# With the index a batch has twice the calls: at 10 % hardly one would come through.
_FAMILIES = tuple(
    replace(family, rates=MILD) for family in (CRASH, BISECT, REGRESS, ZOMBIES, RESHARD, EVERYTHING)
)
_PER_FAMILY = 30

Say = Callable[[str], None]


def _line(name: str, of: IndexVerdicts) -> str:
    return (
        f"index: {name:<51}{of.schedules:>9}{of.deliveries:>11}  {of.wrong} schedules wrong; of "
        f"{of.events} events {of.lost} lost, {of.twice} in several hours; hot wrong in "
        f"{of.hot_wrong}, over in {of.hot_over}; {of.misplaced} misplaced"
    )


def _must_happen(family: Family) -> set[str]:
    names = {"crashed before", "crashed after", "refused", "answer lost", "sent twice"}
    names |= {"event claimed", "own line again", "sent again", "neighbour of a lost one"}
    names |= {"rejected one replaced", "object was there"}
    names |= {"bisected"} if family.mapping.bisect else set()
    names |= {"regressed"} if family.mapping.regress else set()
    names |= {"split shards"} if family.reshard else set()
    late = {"lands late", "lands late and again", "ran on beside its retry"}
    return names | (late if family.late_calls else set())


@pytest.mark.parametrize("family", [pytest.param(family, id=family.name) for family in _FAMILIES])
def test_an_event_that_is_sent_again_hours_later_counts_once(
    family: Family, runners: Runners, report_line: Say
) -> None:
    verdicts = run_index(family, schedules(_PER_FAMILY), runners)
    report_line(_line(family.name, verdicts))

    assert (verdicts.wrong, verdicts.lost, verdicts.twice) == (0, 0, 0)
    assert (verdicts.hot_wrong, verdicts.hot_over, verdicts.unmarked) == (0, 0, 0)
    # One name, one set of rows: what is left out is left out of every delivery.
    assert verdicts.seen["one key, other rows"] == 0
    if not family.late_calls:
        assert verdicts.misplaced == 0
    assert {name for name in _must_happen(family) if not verdicts.seen[name]} == set()


def test_a_batch_that_is_given_up_and_replayed_is_in_one_hour_of_the_lake(
    runners: Runners, report_line: Say
) -> None:
    family = replace(DISCARD, rates=(0.06,))
    verdicts = run_index(family, schedules(100), runners)
    report_line(_line(f"{family.name} (hot windows not promised)", verdicts))

    assert (verdicts.lost, verdicts.twice, verdicts.hot_over, verdicts.misplaced) == (0, 0, 0, 0)
    assert verdicts.seen["discarded"] > 0


def test_letting_every_replayed_line_through_counts_events_in_two_hours(
    runners: Runners, report_line: Say
) -> None:
    family = replace(DISCARD, rates=(0.06,))
    verdicts = run_index(family, schedules(100, at_most=1_000), runners, LetsAllReplayedThrough)
    report_line(_line(f"CONTROL all replayed: {family.name}", verdicts))

    assert verdicts.lost == 0
    assert verdicts.twice > 0


def test_without_an_index_events_sent_again_count_in_several_hours(
    runners: Runners, report_line: Say
) -> None:
    verdicts = run_index(_FAMILIES[0], schedules(40, at_most=1_000), runners, no_index)
    report_line(_line(f"CONTROL no index: {CRASH.name}", verdicts))

    assert verdicts.wrong == verdicts.schedules
    assert verdicts.hot_over > 0.9 * verdicts.schedules


def test_writing_the_index_after_the_lake_counts_events_in_several_hours(
    runners: Runners, report_line: Say
) -> None:
    family = replace(REGRESS, rates=(0.06,))
    count = schedules(100, at_most=1_000)
    verdicts = run_index(family, count, runners, LooksFirst, WRITES_LAST)
    report_line(_line(f"CONTROL index after the lake: {family.name}", verdicts))

    assert verdicts.twice > 0
    assert verdicts.wrong > 0.2 * verdicts.schedules


def test_an_index_that_ignores_the_position_loses_its_own_redeliveries(
    runners: Runners, report_line: Say
) -> None:
    verdicts = run_index(_FAMILIES[0], schedules(60, at_most=1_000), runners, IgnoresThePosition)
    report_line(_line(f"CONTROL position ignored: {CRASH.name}", verdicts))

    assert verdicts.lost > 0
    assert verdicts.wrong > 0.5 * verdicts.schedules
