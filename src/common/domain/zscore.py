"""The plain z-score: how far a value lies from its past, in standard deviations.

Why the floors are there, and what the method cannot see: ``docs/anomalies.md``.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from common.models import Direction

MIN_BASELINE_WINDOWS = 24
"""Fewer past windows than this and the spread is too uncertain to judge by."""

LATENCY_FLOOR_SHARE = 0.01
LATENCY_RESOLUTION_MS = 0.001
"""Percentiles are kept to a microsecond; a smaller spread than that cannot be seen."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far a value lies from its baseline, and by what measure."""

    value: float
    threshold: float
    windows: int
    """Past windows in the baseline."""
    mean: float = 0.0
    sd: float = 0.0
    """The spread that was used: the sample standard deviation, or the floor above it."""
    is_floored: bool = False
    z_score: float | None = None
    """``None`` when the baseline is too short to judge by."""

    @property
    def is_anomaly(self) -> bool:
        """Whether the value lies at the threshold or beyond it."""
        return self.z_score is not None and abs(self.z_score) >= self.threshold

    @property
    def direction(self) -> Direction:
        """The side of the mean that the value lies on."""
        return "up" if self.value > self.mean else "down"

    @property
    def expected(self) -> tuple[float, float]:
        """The range inside the threshold; no metric goes below zero."""
        reach = self.threshold * self.sd
        return max(0.0, self.mean - reach), self.mean + reach


def count_floor(mean: float) -> float:
    """Return the least spread to believe of a count: chance's own, and at least 1.

    Events that come independently of each other number ``mean +- sqrt(mean)`` in a window by
    chance alone, so a history that happens to be flatter proves nothing.

    Notes
    -----
    Variance of a Poisson count = its mean: NIST/SEMATECH e-Handbook of Statistical Methods,
    1.3.6.6.19.

    Examples
    --------
    >>> count_floor(100.0), count_floor(0.25)
    (10.0, 1.0)
    """
    return max(1.0, math.sqrt(mean))


def latency_floor(mean: float) -> float:
    """Return the least spread to believe of a latency: 1 % of the mean.

    A smaller change is beneath notice however steady the past was. The share is a judgement.

    Examples
    --------
    >>> latency_floor(200.0)
    2.0
    """
    return max(LATENCY_RESOLUTION_MS, LATENCY_FLOOR_SHARE * mean)


def judge(
    value: float,
    baseline: Sequence[float],
    *,
    threshold: float = 3.0,
    floor: Callable[[float], float] = count_floor,
) -> Verdict:
    """Compare one window's metric with the same metric in past windows.

    Parameters
    ----------
    value
        The metric in the window under test, in the unit of ``baseline`` (events per window, or
        milliseconds for a latency).
    baseline
        The metric in past windows, shape ``(n,)``, in any order. The window under test must not
        be among them, or it hides its own deviation.
    threshold
        Absolute z-score, in standard deviations, from which on the window is an anomaly.
        Must be positive.
    floor
        Least spread to believe, from the baseline's mean. Must be positive.

    Returns
    -------
    Verdict
        ``z_score`` is ``None`` while ``n < MIN_BASELINE_WINDOWS`` (never an anomaly), and finite
        always: the floor keeps a flat baseline from being infinitely significant.

    Raises
    ------
    ValueError
        ``threshold`` is not positive, or a number is NaN or infinite.

    Notes
    -----
    ``z = (value - mean) / sd``. The spread is the sample standard deviation (divisor ``n - 1``):
    the baseline is a sample of the hours that could have been. Z-scores of outliers:
    NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.5.17.

    Examples
    --------
    >>> verdict = judge(140.0, [98.0, 102.0] * 12)
    >>> verdict.z_score, verdict.sd, verdict.is_floored
    (4.0, 10.0, True)
    >>> judge(140.0, [98.0, 102.0]).z_score is None
    True
    """
    if not threshold > 0:
        raise ValueError("the threshold must be positive")
    if not all(map(math.isfinite, (value, threshold, *baseline))):
        raise ValueError("the value, the threshold and the baseline must be finite numbers")
    if len(baseline) < MIN_BASELINE_WINDOWS:
        return Verdict(value, threshold, len(baseline))
    mean = statistics.fmean(baseline)
    spread, least = statistics.stdev(baseline, mean), floor(mean)
    sd = max(spread, least)
    z_score = (value - mean) / sd
    return Verdict(value, threshold, len(baseline), mean, sd, spread < least, z_score)
