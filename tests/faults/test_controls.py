"""Wrong designs in the same harness: it must find them out, or its zeros mean nothing."""

from __future__ import annotations

from dataclasses import replace

from faults.conftest import Report
from faults.controls import BATCH_PROCESSOR, MARK_FIRST, NAIVE_ADD, SKIP
from faults.families import BISECT, CRASH, HARSH, LANES, REGRESS, run, schedules
from faults.judge import Verdicts
from faults.simulation import Family, Subject
from faults.stepping import Runners


def _control(
    name: str,
    family: Family,
    runners: Runners,
    report: Report,
    *,
    subject: Subject | None = None,
    rates: tuple[float, ...] = HARSH,
) -> Verdicts:
    verdicts = run(replace(family, rates=rates), schedules(40, at_most=1_000), runners, subject)
    report(f"CONTROL {name}: {family.name}", verdicts)
    return verdicts


def test_adding_without_a_condition_counts_twice(runners: Runners, report: Report) -> None:
    verdicts = _control("naive ADD", CRASH, runners, report, subject=NAIVE_ADD)

    assert verdicts.over > 0.9 * verdicts.schedules
    assert verdicts.ids_wrong == 0


def test_skipping_a_batch_instead_of_its_counted_records_loses_records(
    runners: Runners, report: Report
) -> None:
    verdicts = _control(
        "skip, not filter", REGRESS, runners, report, subject=SKIP, rates=REGRESS.rates
    )

    assert verdicts.lost > 0.1 * verdicts.schedules
    assert verdicts.over == 0


def test_two_readers_of_a_shard_lose_records(runners: Runners, report: Report) -> None:
    verdicts = _control("ParallelizationFactor 3", LANES, runners, report)

    assert verdicts.lost > 0.9 * verdicts.schedules


def test_going_on_after_a_failed_record_loses_it(runners: Runners, report: Report) -> None:
    verdicts = _control("goes on past a failure", BISECT, runners, report, subject=BATCH_PROCESSOR)

    assert verdicts.lost > 0.25 * verdicts.schedules
    assert verdicts.over == 0


def test_marking_an_hour_before_its_objects_leaves_stale_results(
    runners: Runners, report: Report
) -> None:
    verdicts = _control(
        "mark before put", BISECT, runners, report, subject=MARK_FIRST, rates=BISECT.rates
    )

    assert verdicts.marked_too_early > 0.1 * verdicts.schedules
    assert verdicts.stale_hours > 0
