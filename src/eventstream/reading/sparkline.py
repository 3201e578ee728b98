"""A series in one line of text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

_LEVELS = "▁▂▃▄▅▆▇█"

MARKS = 60
"""Characters of the longest line."""


def sparkline(values: Sequence[float | None], width: int = MARKS) -> str:
    """Draw values from 0 to their maximum, one character each; ``None`` is a blank.

    More than ``width`` values are drawn as the maxima of equal parts.

    >>> sparkline([0, 1, None, 7])
    '▁▂ █'
    """
    shown = [_highest(part) for part in _parts(values, width)]
    top = max((value for value in shown if value is not None), default=0)
    return "".join(" " if value is None else _level(value, top) for value in shown)


def _parts(values: Sequence[float | None], width: int) -> list[Sequence[float | None]]:
    count = min(width, len(values))
    bounds = [len(values) * number // count for number in range(count + 1)] if count else []
    return [values[low:high] for low, high in pairwise(bounds)]


def _highest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _level(value: float, top: float) -> str:
    if value <= 0 or top <= 0:
        return _LEVELS[0]
    return _LEVELS[min(int(value / top * len(_LEVELS)), len(_LEVELS) - 1)]
