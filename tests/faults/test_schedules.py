"""The shipped code under random schedules of every fault that the stream and the stores have.

``pytest tests/faults --schedules 10000`` runs more of them.
"""

from __future__ import annotations

import pytest

from faults.conftest import Report
from faults.families import BISECT, DISCARD, EVERYTHING, EXACT, REGRESS, RESHARD, run, schedules
from faults.simulation import Family
from faults.stepping import Runners
from faults.summary import Figures

_PER_FAMILY = 170
_ALWAYS = (
    "crashed before",
    "crashed after",
    "refused",
    "answer lost",
    "sent twice",
    "function's answer lost",
    "condition lost",
    "memory was stale",
    "object was there",
    "hour read while it was written",
)


def _must_happen(family: Family) -> set[str]:
    """Name the faults, and what follows from them, without which green means nothing."""
    names = set(_ALWAYS)
    names |= {"bisected"} if family.mapping.bisect else set()
    names |= {"regressed"} if family.mapping.regress else set()
    names |= {"out of order"} if family.mapping.out_of_order else set()
    names |= {"split shards"} if family.reshard else set()
    late = {"lands late", "lands late and again", "ran on beside its retry"}
    return names | (late if family.late_calls else set())


@pytest.mark.parametrize("family", [pytest.param(family, id=family.name) for family in EXACT])
def test_every_number_is_exact_whatever_fails(
    family: Family, runners: Runners, report: Report
) -> None:
    verdicts = run(family, schedules(_PER_FAMILY), runners)
    report(family.name, verdicts)

    assert (verdicts.hot_wrong, verdicts.over, verdicts.lost) == (0, 0, 0)
    assert (verdicts.lake_wrong, verdicts.ids_wrong, verdicts.quarantine_wrong) == (0, 0, 0)
    assert (verdicts.marked_too_early, verdicts.stale_hours) == (0, 0)
    assert verdicts.seen["one key, other rows"] == 0
    assert verdicts.seen["counted before it was in the lake"] == 0
    assert {name for name in _must_happen(family) if not verdicts.seen[name]} == set()


def test_the_families_differ_in_what_the_mapping_does() -> None:
    assert not BISECT.mapping.regress
    assert REGRESS.mapping.regress
    assert RESHARD.reshard
    assert EVERYTHING.late_calls


def test_a_discarded_batch_is_missing_from_the_hot_windows_and_whole_in_the_lake(
    runners: Runners, figures: Figures
) -> None:
    verdicts = run(DISCARD, schedules(100, at_most=2_000), runners)
    wrong = verdicts.over + verdicts.ids_wrong + verdicts.marked_too_early
    figures.family(
        f"counters: {DISCARD.name} (lake)",
        *(verdicts.schedules, wrong),
        note=f"{verdicts.note}, not promised",
    )

    assert verdicts.seen["discarded"] > 0
    assert verdicts.lost > 0
    assert (verdicts.over, verdicts.ids_wrong, verdicts.marked_too_early) == (0, 0, 0)
