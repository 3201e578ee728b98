"""Whoever dies or overtakes whom, in the end an hour's results are those of all its events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from aggregate.deps import Deps
from aggregate.figures import HourFigures
from common.models import AggregationResult
from common.ports.aggregates import HourProgress, HourSummary
from fakes.aggregates import MemoryAggregates
from faults.families import interleavings
from faults.hours import Design, run_schedules
from faults.stepping import Runners
from faults.summary import Figures

GATE = 5000
CONTROL = 800
VISIBLE = 0.005
"""Share of a control's schedules that must go wrong, or the harness sees nothing."""


EFFECTS = (
    "overtaken",
    "late",
    "provisional",
    "final",
    "findings",
    "no finding",
    "alert sent",
    "alert resolved",
)


def test_no_hour_stays_stale_and_no_alert_is_wrong(runners: Runners, figures: Figures) -> None:
    verdicts = run_schedules(Design(), interleavings(GATE), runners, name="shipped")
    figures.family("hours: writers, runs and senders", verdicts.schedules, verdicts.wrong)

    assert (verdicts.stale, verdicts.never_closed) == (0, 0)
    assert (verdicts.mixed, verdicts.alerts_wrong) == (0, 0)
    crashes = [name for name in verdicts.seen if name.startswith("crash before ")]
    assert len(crashes) > 15
    assert sum(verdicts.seen[name] for name in crashes) > verdicts.schedules // 2
    for effect in EFFECTS:
        assert verdicts.seen[effect] > verdicts.schedules // 100, effect


def test_a_type_that_vanishes_from_an_hour_leaves_no_result_behind(
    runners: Runners, figures: Figures
) -> None:
    design = Design(changing_types=True)

    verdicts = run_schedules(design, interleavings(1000), runners, name="changing types")
    figures.family("hours: types that vanish", verdicts.schedules, verdicts.wrong)

    assert (verdicts.stale, verdicts.never_closed) == (0, 0)
    assert (verdicts.mixed, verdicts.alerts_wrong) == (0, 0)


def test_marking_before_putting_leaves_hours_stale(runners: Runners, figures: Figures) -> None:
    verdicts = run_schedules(Design(mark_first=True), CONTROL, runners, name="mark first")

    figures.control("hours, mark first", verdicts.stale, verdicts.schedules, more_than=VISIBLE)


class Unconditional(MemoryAggregates):
    """Writes results over newer ones."""

    def put_results(self, results: Sequence[AggregationResult]) -> None:
        for result in results:
            self.results.pop((result.event_type, result.window_start), None)
            super().put_results([result])


def test_writing_results_without_a_condition_leaves_those_of_older_runs(
    runners: Runners, figures: Figures
) -> None:
    design = Design(store=Unconditional)

    verdicts = run_schedules(design, CONTROL, runners, name="unconditional")

    figures.control("hours, unconditional", verdicts.mixed, verdicts.schedules, more_than=VISIBLE)
    assert verdicts.stale > 0


class ClosesBlindly(MemoryAggregates):
    """Closes a final hour without looking whether it was marked meanwhile."""

    def finish_hour(self, summary: HourSummary) -> None:
        super().finish_hour(summary)
        if summary.status == "final":
            self.progress[summary.hour] = replace(self.progress[summary.hour], is_open=False)


def test_closing_an_hour_that_was_marked_meanwhile_leaves_it_stale(
    runners: Runners, figures: Figures
) -> None:
    verdicts = run_schedules(Design(store=ClosesBlindly), CONTROL, runners, name="closes blindly")

    figures.control("hours, closes blindly", verdicts.stale, verdicts.schedules, more_than=VISIBLE)


class GenerationOrder(MemoryAggregates):
    """Orders runs by the generation that they saw, of which two may see the same one."""

    def begin(self, hour: datetime) -> HourProgress:
        self.step("begin")
        old = self.progress.get(hour, HourProgress(hour))
        self.progress[hour] = replace(old, attempt=old.generation)
        return self.progress[hour]


def test_runs_of_one_generation_that_judge_differently_lose_alerts_without_a_number_of_their_own(
    runners: Runners, figures: Figures
) -> None:
    design = Design(store=GenerationOrder)

    verdicts = run_schedules(design, CONTROL, runners, name="generation order")

    figures.control(
        "hours, generation order", verdicts.alerts_wrong, verdicts.schedules, more_than=VISIBLE
    )


class BeginsQuietly(MemoryAggregates):
    """Counts an attempt and leaves a closed hour closed, so that nobody sees that it died."""

    def begin(self, hour: datetime) -> HourProgress:
        self.step("begin")
        old = self.progress.get(hour, HourProgress(hour))
        self.progress[hour] = replace(old, attempt=old.attempt + 1)
        return self.progress[hour]


def test_a_run_that_does_not_open_the_hour_leaves_a_mixture_when_it_dies(
    runners: Runners, figures: Figures
) -> None:
    design = Design(store=BeginsQuietly)

    verdicts = run_schedules(design, CONTROL, runners, name="begins quietly")

    figures.control("hours, begins quietly", verdicts.mixed, verdicts.schedules, more_than=VISIBLE)


class HourFirst:
    """A store that writes the hour's state before the results of its types."""

    def __init__(self, deps: Deps) -> None:
        self._store = deps.store
        self._results: Sequence[AggregationResult] = ()

    def put_results(self, results: Sequence[AggregationResult]) -> None:
        self._results = results

    def finish_hour(self, summary: HourSummary) -> None:
        self._store.finish_hour(summary)
        self._store.put_results(self._results)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_closing_an_hour_before_its_results_are_written_leaves_it_stale(
    runners: Runners, figures: Figures
) -> None:
    design = Design(wrap=lambda deps: replace(deps, store=HourFirst(deps)))

    verdicts = run_schedules(design, CONTROL, runners, name="hour first")

    figures.control("hours, hour first", verdicts.stale, verdicts.schedules, more_than=VISIBLE)


class ListFirst:
    """A store that reads the generation only after the objects were listed."""

    def __init__(self, deps: Deps) -> None:
        self._store = deps.store
        self._list = deps.read_hour
        self._figures = HourFigures()

    def begin(self, hour: datetime) -> HourProgress:
        self._figures = self._list(hour, {})
        return self._store.begin(hour)

    def read_hour(self, hour: datetime, known: Any) -> HourFigures:
        return self._figures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def list_first(deps: Deps) -> Deps:
    store: Any = ListFirst(deps)
    return replace(deps, store=store, read_hour=store.read_hour)


def test_reading_the_generation_after_the_objects_leaves_hours_stale(
    runners: Runners, figures: Figures
) -> None:
    verdicts = run_schedules(Design(wrap=list_first), CONTROL, runners, name="list first")

    figures.control("hours, list first", verdicts.stale, verdicts.schedules, more_than=VISIBLE)
