"""Lines that no retry can fix, under every fault: kept once, mended once, in nobody's way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from eventstream.replay import job
from faults.families import BISECT, CRASH, EVERYTHING, schedules
from faults.poison import (
    POISONS,
    Poison,
    quarantines_whole_records,
    reports_bad_records,
    run_poison,
    run_poison_replays,
)
from faults.stepping import Runners
from faults.summary import Figures

_each_poison = pytest.mark.parametrize(
    "poison", [pytest.param(poison, id=poison.name) for poison in POISONS]
)
_SOME = POISONS[4]


@pytest.fixture(autouse=True)
def _one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let objects move in an order that the schedule decides."""

    def in_turn(call: Callable[[Any], None], items: Sequence[Any]) -> None:
        for item in items:
            call(item)

    monkeypatch.setattr(job, "in_parallel", in_turn)


@_each_poison
def test_bad_lines_are_kept_once_and_their_neighbours_written_whatever_fails(
    poison: Poison, runners: Runners, figures: Figures
) -> None:
    found = run_poison(poison, EVERYTHING, schedules(poison.gate, at_most=poison.most), runners)
    figures.family(
        f"poison, {poison.name}: everything at once",
        *(found.schedules, found.wrong),
        note=f"{found.note}; {found.bad_lines:,} bad lines, {found.unkept} not kept, "
        f"{found.given_back:,} batches given back, {found.unprovoked} for poison",
    )

    assert found.bad_lines > 0
    assert (found.wrong, found.unkept, found.stuck) == (0, 0, 0)
    assert found.given_back > 0
    assert found.unprovoked == 0


@_each_poison
def test_where_nothing_fails_bad_lines_cost_no_retry(poison: Poison, runners: Runners) -> None:
    calm = replace(CRASH, rates=(0.0,))

    found = run_poison(poison, calm, schedules(poison.gate, at_most=500), runners)

    assert found.bad_lines > 0
    assert (found.given_back, found.wrong, found.unkept, found.copies) == (0, 0, 0, 0)


@_each_poison
def test_bad_lines_that_are_mended_are_in_the_lake_once_and_in_no_counter(
    poison: Poison, runners: Runners, figures: Figures
) -> None:
    found = run_poison_replays(
        poison, schedules(poison.gate, at_most=poison.most or 2_000), runners
    )
    figures.family(
        f"poison, {poison.name}: given up, mended and replayed",
        *(found.schedules, found.lost + found.extra + found.over),
        note=f"{found.deliveries:,} deliveries, {found.seen['replays']:,} replays",
    )

    assert found.seen["given up"] > 0
    assert (found.lost, found.extra, found.over) == (0, 0, 0)


def test_asking_for_a_bad_record_again_stops_its_shard(runners: Runners, figures: Figures) -> None:
    found = run_poison(
        _SOME, BISECT, schedules(5, at_most=100), runners, reports_bad_records, max_deliveries=100
    )

    figures.control(
        "a bad record is asked for again: shard stuck",
        *(found.stuck, found.schedules),
        more_than=0.9,
    )


def test_quarantining_whole_records_loses_their_good_lines(
    runners: Runners, figures: Figures
) -> None:
    found = run_poison(
        _SOME, BISECT, schedules(10, at_most=1_000), runners, quarantines_whole_records
    )

    figures.control(
        "a bad line's whole record is quarantined: loses lines",
        *(found.lake_wrong, found.schedules),
        more_than=0.9,
    )
