"""The families of schedules: what can happen beside crashes and lost answers."""

from __future__ import annotations

import os
from random import Random

from faults.judge import Verdicts
from faults.mapping import Mapping
from faults.simulation import Family, Simulation, Subject
from faults.stepping import Runners

CRASH = Family("crash, same batch", Mapping())
BISECT = Family("bisect + partial", Mapping(bisect=True))
MILD = (0.01, 0.03, 0.06)
"""For families in which much comes again anyway: at 10 % hardly a delivery would succeed."""

REGRESS = Family(
    "regress + out of order",
    Mapping(bisect=True, regress=0.15, out_of_order=0.15),
    rates=MILD,
)
ZOMBIES = Family(
    "late calls + bisect + regress",
    Mapping(bisect=True, regress=0.15),
    late_calls=True,
    rates=MILD,
)
RESHARD = Family(
    "reshard + all of these but late calls",
    Mapping(bisect=True, regress=0.15, out_of_order=0.15),
    reshard=True,
    rates=MILD,
)
EVERYTHING = Family(
    "everything at once",
    Mapping(bisect=True, regress=0.15, out_of_order=0.15),
    late_calls=True,
    reshard=True,
    rates=MILD,
)
DISCARD = Family("discard + replay", Mapping(bisect=True, discard=True))
LANES = Family("ParallelizationFactor 3", Mapping(bisect=True), lanes=3)

HARSH = (0.1,)
"""Rates for the controls: with few faults a wrong design is right now and then."""

EXACT = (CRASH, BISECT, REGRESS, ZOMBIES, RESHARD, EVERYTHING)


def schedules(gate: int, *, at_most: int | None = None) -> int:
    """Return how many schedules to run: the gate's, or what ``--schedules`` asks for."""
    return _asked("FAULT_SCHEDULES", gate, at_most)


def machine_runs(gate: int, *, at_most: int | None = None) -> int:
    """Return how often to run the state machine: as the gate does, or as ``--runs`` says."""
    return _asked("FAULT_RUNS", gate, at_most)


def interleavings(gate: int) -> int:
    """Return how many interleavings to run: the gate's, or what ``--interleavings`` asks for."""
    return _asked("FAULT_INTERLEAVINGS", gate, None)


def _asked(variable: str, gate: int, at_most: int | None) -> int:
    asked = int(os.environ.get(variable, gate))
    return min(asked, at_most or asked)


def run(family: Family, count: int, runners: Runners, subject: Subject | None = None) -> Verdicts:
    """Run and judge ``count`` schedules; the same ones each time."""
    verdicts = Verdicts()
    for number in range(count):
        rng = Random(f"{family.name}/{number}")
        simulation = Simulation(family, subject or Subject(), rng, runners)
        simulation.run()
        verdicts.add(simulation)
    return verdicts
