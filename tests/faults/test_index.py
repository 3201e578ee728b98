"""The event index under every fault: events sent again, hours later, count once.

``pytest tests/faults/test_index.py --schedules 2000`` runs more of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

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
    IgnoresTheTimestamp,
    LetsAllReplayedThrough,
    LooksFirst,
    no_index,
)
from faults.index_simulation import IndexVerdicts, run_index
from faults.simulation import Family, Subject
from faults.stepping import Runners
from faults.summary import Figures
from faults.together_simulation import run_together

# With the index a batch has twice the calls: at 10 % hardly one would come through.
_FAMILIES = tuple(
    replace(family, rates=MILD) for family in (CRASH, BISECT, REGRESS, ZOMBIES, RESHARD, EVERYTHING)
)
_PER_FAMILY = 30

_REPLAYED = replace(DISCARD, rates=(0.06,))
_MOST = 2_000


def _note(of: IndexVerdicts) -> str:
    return (
        f"{of.deliveries:,} deliveries, {of.events:,} events: {of.lost} lost, {of.twice} in several"
        f" hours; windows: {of.hot_wrong} wrong, {of.hot_over} +; {of.misplaced} misplaced"
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
    family: Family, runners: Runners, figures: Figures
) -> None:
    verdicts = run_index(family, schedules(_PER_FAMILY, at_most=_MOST), runners)
    figures.family(
        f"index: {family.name}", verdicts.schedules, verdicts.wrong, note=_note(verdicts)
    )

    assert (verdicts.wrong, verdicts.lost, verdicts.twice) == (0, 0, 0)
    assert (verdicts.hot_wrong, verdicts.hot_over, verdicts.unmarked) == (0, 0, 0)
    # One name, one set of rows: what is left out is left out of every delivery.
    assert verdicts.seen["one key, other rows"] == 0
    if not family.late_calls:
        assert verdicts.misplaced == 0
    assert {name for name in _must_happen(family) if not verdicts.seen[name]} == set()


def test_a_batch_that_is_given_up_and_replayed_is_in_one_hour_of_the_lake(
    runners: Runners, figures: Figures
) -> None:
    found = run_index(_REPLAYED, schedules(100, at_most=_MOST), runners)
    figures.family(
        f"index: {_REPLAYED.name} (lake)", found.schedules, found.lost + found.twice, _note(found)
    )

    assert (found.lost, found.twice, found.hot_over, found.misplaced) == (0, 0, 0, 0)
    assert found.seen["discarded"] > 0


@pytest.mark.parametrize("family", [pytest.param(each, id=each.name) for each in _FAMILIES[1:]])
def test_sessions_and_index_together_are_those_of_the_lines_that_are_kept(
    family: Family, runners: Runners, figures: Figures
) -> None:
    found = run_together(family, schedules(10, at_most=_MOST), runners)
    figures.family(
        f"sessions and index: {family.name}",
        *(found.schedules, found.wrong + found.people_wrong),
        note=f"{_note(found)}; {found.people_wrong} of {found.people:,} people wrong",
    )

    assert (found.wrong, found.people_wrong) == (0, 0)
    assert found.people > 0


def _control(
    family: Family, runners: Runners, make: Any, subject: Subject | None = None
) -> IndexVerdicts:
    return run_index(family, schedules(60, at_most=1_000), runners, make, subject)


def test_letting_every_replayed_line_through_counts_events_in_two_hours(
    runners: Runners, figures: Figures
) -> None:
    found = _control(_REPLAYED, runners, LetsAllReplayedThrough)

    assert found.lost == 0
    figures.control(
        "index, all replayed lines kept: schedules with one in two hours",
        *(found.twice_in, found.schedules),
        more_than=0.2,
    )


def test_ignoring_the_time_of_a_replayed_line_counts_events_in_two_hours(
    runners: Runners, figures: Figures
) -> None:
    found = _control(_REPLAYED, runners, IgnoresTheTimestamp)

    assert found.lost == 0
    figures.control(
        "index, by receipt without the event's time: schedules",
        *(found.twice_in, found.schedules),
        more_than=0.1,
    )


def test_without_an_index_events_sent_again_count_in_several_hours(
    runners: Runners, figures: Figures
) -> None:
    found = _control(_FAMILIES[0], runners, no_index)

    assert found.wrong == found.schedules
    figures.control(
        "no index: windows count too much", found.hot_over, found.schedules, more_than=0.9
    )


def test_writing_the_index_after_the_lake_counts_events_in_several_hours(
    runners: Runners, figures: Figures
) -> None:
    found = _control(replace(REGRESS, rates=(0.06,)), runners, LooksFirst, WRITES_LAST)

    assert found.twice > 0
    figures.control("index after the lake", found.wrong, found.schedules, more_than=0.2)


def test_an_index_that_ignores_the_position_loses_its_own_redeliveries(
    runners: Runners, figures: Figures
) -> None:
    found = _control(_FAMILIES[0], runners, IgnoresThePosition)

    assert found.lost > 0
    figures.control("index, position ignored", found.wrong, found.schedules, more_than=0.5)
