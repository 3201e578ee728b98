"""The whole pipeline under whatever Hypothesis makes of its rules, and designs that must fail.

``pytest tests/faults/test_state_machine.py --runs 2000`` runs more of them, others each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from faults.controls import CLOCK_IN_HOT_RULE, NAIVE_ADD, files_by
from faults.families import machine_runs
from faults.pipeline_machine import PipelineMachine
from faults.simulation import Subject
from faults.summary import Figures

_GATE = 30
_STEPS = 40
_SEEN_SOON = {
    "aggregated",
    "crashed before",
    "failed",
    "given up",
    "object was there",
    "out of order",
    "poison",
    "replays",
    "sent again",
}
_SEEN_IN_TIME = _SEEN_SOON | {
    "aggregation killed",
    "answer lost",
    "bisected",
    "condition lost",
    "crashed after",
    "function's answer lost",
    "half refused",
    "hours by DuckDB",
    "landed",
    "memory was stale",
    "refused",
    "regressed",
    "replayer killed",
    "sent again at another hour",
    "sent twice",
    "split shards",
    "taken, and killed",
    "taken, and the answer lost",
}
"""What must have happened in the gate's runs, and in many."""


class IndexedMachine(PipelineMachine):
    """The same with the event index on."""

    has_index = True


def _run(machine: type[PipelineMachine], runs: int, *phases: Phase) -> Counter[str]:
    """Run a machine; the gate's runs are always the same, more of them are others each time."""
    machine.counts = Counter()
    wanted = settings(
        max_examples=runs,
        stateful_step_count=_STEPS,
        derandomize=runs <= _GATE,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=phases,
    )
    run_state_machine_as_test(machine, settings=wanted)  # type: ignore[no-untyped-call]
    return machine.counts


@pytest.mark.parametrize(
    "machine",
    [
        pytest.param(PipelineMachine, id="index off"),
        pytest.param(IndexedMachine, id="index on"),
    ],
)
def test_whatever_happens_in_whatever_order_the_results_are_those_of_what_was_sent(
    machine: type[PipelineMachine], figures: Figures
) -> None:
    runs = machine_runs(2 * _GATE) // 2
    seen = _run(machine, runs, Phase.generate, Phase.shrink)

    figures.family(
        f"state machine, index {'on' if machine.has_index else 'off'}",
        *(seen["runs"], 0),
        note=f"{seen['events']:,} events, {seen['delivered'] + seen['failed']:,} deliveries, "
        f"{seen['given up']:,} given up, {seen['replays']:,} replays, "
        f"{seen['aggregated']:,} aggregations",
    )
    assert seen["runs"] >= runs
    effects = _SEEN_IN_TIME if runs > 10 * _GATE else _SEEN_SOON
    assert {name for name in effects if not seen[name]} == set()


class ControlMachine(PipelineMachine):
    """Counts the runs in which something is wrong, and goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.has_failed = False

    def judge(self, problems: Iterable[str]) -> None:
        self.has_failed = self.has_failed or any(True for _ in problems)

    def teardown(self) -> None:
        super().teardown()
        self.counts["runs that failed"] += self.has_failed


class NaiveAddMachine(ControlMachine):
    subject = NAIVE_ADD


class ClockInHotRuleMachine(ControlMachine):
    subject = CLOCK_IN_HOT_RULE


class ClockInKeyMachine(ControlMachine):
    def __init__(self) -> None:
        super().__init__()
        self.pipeline.subject = Subject(invoke=files_by(lambda: self.pipeline.now))


@pytest.mark.parametrize(
    ("name", "machine", "more_than"),
    [
        ("naive ADD", NaiveAddMachine, 0.03),
        ("clock in the hot rule", ClockInHotRuleMachine, 0.2),
        ("clock in the key", ClockInKeyMachine, 0.2),
    ],
)
def test_the_same_machine_finds_out_a_wrong_design(
    name: str, machine: type[ControlMachine], more_than: float, figures: Figures
) -> None:
    seen = _run(machine, machine_runs(30, at_most=300), Phase.generate)

    figures.control(
        f"state machine, {name}",
        *(seen["runs that failed"], seen["runs"]),
        more_than=more_than,
    )
