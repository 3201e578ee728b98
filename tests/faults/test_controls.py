"""Wrong designs in the same harness: it must find them out, or its zeros mean nothing."""

from __future__ import annotations

from dataclasses import replace

from faults.controls import (
    BATCH_PROCESSOR,
    CLOCK_IN_HOT_RULE,
    CLOCK_IN_KEY,
    MARK_FIRST,
    NAIVE_ADD,
    SKIP,
)
from faults.families import BISECT, CRASH, HARSH, LANES, REGRESS, run, schedules
from faults.judge import Verdicts
from faults.simulation import Family, Subject
from faults.stepping import Runners
from faults.summary import Figures


def _control(
    family: Family,
    runners: Runners,
    subject: Subject | None = None,
    *,
    rates: tuple[float, ...] = HARSH,
) -> Verdicts:
    return run(replace(family, rates=rates), schedules(40, at_most=1_000), runners, subject)


def test_adding_without_a_condition_counts_twice(runners: Runners, figures: Figures) -> None:
    found = _control(CRASH, runners, NAIVE_ADD)

    figures.control(
        "naive ADD: counts twice", found.over, found.schedules, more_than=0.9, note=CRASH.name
    )
    assert found.ids_wrong == 0


def test_skipping_a_batch_instead_of_its_counted_records_loses_records(
    runners: Runners, figures: Figures
) -> None:
    found = _control(REGRESS, runners, SKIP, rates=REGRESS.rates)

    figures.control(
        "skip, not filter: loses records",
        *(found.lost, found.schedules),
        more_than=0.1,
        note=REGRESS.name,
    )
    assert found.over == 0


def test_two_readers_of_a_shard_lose_records(runners: Runners, figures: Figures) -> None:
    found = _control(LANES, runners)

    figures.control(
        "ParallelizationFactor 3: loses records", found.lost, found.schedules, more_than=0.9
    )


def test_going_on_after_a_failed_record_loses_it(runners: Runners, figures: Figures) -> None:
    found = _control(BISECT, runners, BATCH_PROCESSOR)

    figures.control(
        "BatchProcessor, on after a failed record: loses it",
        *(found.lost, found.schedules),
        more_than=0.4,
        note=BISECT.name,
    )
    assert found.over == 0


def test_a_clock_in_the_name_of_an_object_stores_lines_again(
    runners: Runners, figures: Figures
) -> None:
    shipped = _control(CRASH, runners)
    found = _control(CRASH, runners, CLOCK_IN_KEY)

    figures.family(
        "objects of a batch that comes again (crash, same batch)", shipped.schedules, shipped.copies
    )
    figures.control(
        "clock in the key: lines in two objects",
        *(found.copies, found.schedules),
        more_than=0.9,
        note=CRASH.name,
    )
    assert (shipped.copies, found.lake_wrong) == (0, 0)


def test_a_clock_in_the_hot_rule_loses_records(runners: Runners, figures: Figures) -> None:
    found = _control(CRASH, runners, CLOCK_IN_HOT_RULE)

    figures.control(
        "clock in the hot rule: loses records",
        *(found.lost, found.schedules),
        more_than=0.9,
        note=CRASH.name,
    )


def test_marking_an_hour_before_its_objects_leaves_stale_results(
    runners: Runners, figures: Figures
) -> None:
    found = _control(BISECT, runners, MARK_FIRST, rates=BISECT.rates)

    figures.control(
        "mark before put: hours marked too early",
        *(found.marked_too_early, found.schedules),
        more_than=0.1,
        note=BISECT.name,
    )
    assert found.stale_hours > 0
