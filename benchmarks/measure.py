"""CPU time of several ways to do one thing, taken in turns, and how they compare."""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to do the thing, in a process of its own: as alone as a Lambda function is."""

    name: str
    prepare: Callable[[], Mapping[str, Work]]
    """Imports and sets up, then returns the pieces of work by name; runs in the new process."""


@contextmanager
def started(ways: Sequence[Way]) -> Iterator[Mapping[str, Connection]]:
    """Start each way's process, and end them all."""
    context = multiprocessing.get_context("spawn")
    processes, pipes = [], {}
    for way in ways:
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(way.prepare, theirs), daemon=True)
        process.start()
        processes.append(process)
        pipes[way.name] = ours
    try:
        for pipe in pipes.values():
            pipe.recv()
        yield pipes
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _serve(prepare: Callable[[], Mapping[str, Work]], pipe: Connection) -> None:
    # What a handler logs is part of its work; where it goes is not.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    pieces = prepare()
    pipe.send("ready")
    while True:
        name, runs = pipe.recv()
        work = pieces[name]
        gc.collect()
        start = time.process_time()
        for _ in range(runs):
            work()
        pipe.send((time.process_time() - start) / runs)


def cpu_us(
    pipes: Mapping[str, Connection], piece: str, *, units: int, rounds: int, runs: int
) -> dict[str, float]:
    """Return the least CPU time per unit of each way over some rounds, in microseconds.

    The ways take turns within a round. Time that other processes take is not counted, but they
    also make ours slower: caches, cores and clocks are shared. That only ever adds, so the least
    of many rounds is what the work itself takes, where their median wanders with the neighbours.
    """
    taken: dict[str, list[float]] = {name: [] for name in pipes}
    for nth in range(rounds + 1):
        for name, pipe in pipes.items():
            pipe.send((piece, runs if nth else 1))
            seconds = pipe.recv()
            if nth:  # the first is to warm up
                taken[name].append(seconds / units)
    return {name: min(times) * 1e6 for name, times in taken.items()}


@dataclass(frozen=True, slots=True)
class Ratio:
    """How two figures of one run compare, and what was promised of it."""

    name: str
    value: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the promise is kept."""
        over = self.at_least is None or self.value >= self.at_least
        return over and (self.at_most is None or self.value <= self.at_most)

    def __str__(self) -> str:
        bound = f"at least {self.at_least}" if self.at_least is not None else ""
        bound = f"at most {self.at_most}" if self.at_most is not None else bound
        verdict = f"  ({bound}: {'holds' if self.holds else 'BROKEN'})" if bound else ""
        return f"  {self.name:<58} {self.value:8.2f}{verdict}"


def report(
    title: str, figures: Mapping[str, float], ratios: Sequence[Ratio], *, unit: str = "µs/event"
) -> bool:
    """Print one comparison; return whether every promise is kept."""
    print(f"\n{title}")
    for name, value in figures.items():
        print(f"  {name:<58} {value:8.1f} {unit}")
    for ratio in ratios:
        print(ratio)
    return all(ratio.holds for ratio in ratios)


def as_json(figures: Mapping[str, object]) -> str:
    """Spell figures for another program."""
    return json.dumps(figures, indent=2)
