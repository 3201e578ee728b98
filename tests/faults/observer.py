"""A reader that takes an hour's generation first and its rows second, at any moment.

It stands for the hourly aggregation: once everything has settled, a result whose generation is
the hour's must hold every row of the hour.
"""

from __future__ import annotations

from random import Random

from faults.traffic import Expected
from faults.world import World


class Observer:
    def __init__(self, world: World, rng: Random) -> None:
        self._world, self._rng = world, rng
        self._begun: list[tuple[str, int]] = []
        self.results: dict[str, tuple[int, int]] = {}
        """Generation and number of rows that the hour's last result is made from."""

    def step(self) -> None:
        """Now and then begin to read an hour that is open, or finish with one."""
        generations = self._world.hours.generations
        dirty = [hour for hour in generations if generations[hour] != self._made_from(hour)]
        if dirty and self._rng.random() < 0.3:
            hour = self._rng.choice(dirty)
            self._begun.append((hour, generations[hour]))
        if self._begun and self._rng.random() < 0.3:
            hour, generation = self._begun.pop(self._rng.randrange(len(self._begun)))
            if generation >= self._made_from(hour):
                self.results[hour] = (generation, len(self._world.rows.get(hour, ())))

    def _made_from(self, hour: str) -> int:
        return self.results.get(hour, (0, 0))[0]

    def stale(self, truth: Expected) -> list[str]:
        """Name the hours whose result passes for complete and is not."""
        return [
            hour
            for hour, (generation, rows) in self.results.items()
            if generation == self._world.hours.generations[hour]
            and rows != truth.rows_by_hour[hour]
        ]

    def settled(self) -> int:
        """Count the hours whose result is of the hour's last generation."""
        return sum(
            generation == self._world.hours.generations[hour]
            for hour, (generation, _) in self.results.items()
        )
