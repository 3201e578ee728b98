"""Hours of the lake as rows in memory, counted in a few lines of Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from aggregate.figures import Figures, HourFigures
from fakes.aggregates import Step, no_step


class Row(NamedTuple):
    received: int
    event_id: str
    event_type: str
    user: str


class MemoryHours:
    """One hour's objects; a write and the listing are one step each."""

    def __init__(self, step: Step = no_step) -> None:
        self.step = step
        self.objects: dict[str, tuple[Row, ...]] = {}

    def put(self, key: str, rows: tuple[Row, ...]) -> None:
        self.step("put_object")
        self.objects[key] = rows

    def __call__(self, hour: datetime, known: Mapping[str, datetime]) -> HourFigures:
        self.step("list_objects")
        return add_up(row for rows in self.objects.values() for row in rows)


def add_up(rows: Iterable[Row]) -> HourFigures:
    """Count each event once, as the copy that was received first has it."""
    first: dict[str, Row] = {}
    every = sorted(rows)
    for row in every:
        first.setdefault(row.event_id, row)
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in first.values():
        groups[row.event_type].append(row)
    types = {name: _figures(group) for name, group in groups.items()}
    return HourFigures(_figures(list(first.values())), types, rows=len(every))


def _figures(rows: list[Row]) -> Figures:
    return Figures(count=len(rows), unique_users=len({row.user for row in rows}))
