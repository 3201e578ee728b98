"""Latency histogram with logarithmic buckets: mergeable, compact, and the same for any order.

The buckets are those of DDSketch (Masson, Rim and Lee, VLDB 2019): the bounds grow by
``GAMMA = (1 + a) / (1 - a)``, so a bucket's representative is within ``a`` of whatever is in it.
Merging adds counts, so a histogram does not depend on how its events were batched.

Wire form, one spelling for each content: the byte ``1`` (version), then unsigned LEB128 numbers:
the count of zeros, and for each non-empty bucket in ascending order the distance from the bucket
before it (the first: from bucket 0) and its count.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

RELATIVE_ERROR = 0.02
"""Bound of ``|estimate - value| / value`` for values in ``[SMALLEST_MS, LARGEST_MS]``."""

GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
SMALLEST_MS = 0.001
"""A microsecond; whatever is smaller counts as zero."""
LARGEST_MS = 1e9
"""Eleven days; whatever is larger counts as this, so that a histogram's size is bounded."""

_VERSION = 1


def _bounds() -> tuple[float, ...]:
    """Multiply up the upper bounds: unlike ``log``, that gives the same bits on any machine."""
    bounds = [SMALLEST_MS]
    while bounds[-1] < LARGEST_MS:
        bounds.append(bounds[-1] * GAMMA)
    return tuple(bounds)


_BOUNDS = _bounds()
BUCKETS = len(_BOUNDS)
"""Bucket ``i`` holds the values in ``(_BOUNDS[i - 1], _BOUNDS[i]]``."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of latencies per logarithmic bucket; immutable."""

    zeros: int = 0
    buckets: Mapping[int, int] = field(default_factory=dict)
    """Count per bucket index in ``[0, BUCKETS)``; no bucket is empty."""

    @classmethod
    def of(cls, values_ms: Iterable[float]) -> Histogram:
        """Count values.

        Parameters
        ----------
        values_ms
            Finite latencies in milliseconds, in any order. What is below ``SMALLEST_MS``
            counts as zero, what is above ``LARGEST_MS`` as ``LARGEST_MS``.

        Examples
        --------
        >>> Histogram.of([0.0, 120.0, 121.0]).count
        3
        """
        zeros, buckets = 0, dict[int, int]()
        for value in values_ms:
            if value < SMALLEST_MS:
                zeros += 1
            else:
                index = min(bisect_left(_BOUNDS, value), BUCKETS - 1)
                buckets[index] = buckets.get(index, 0) + 1
        return cls(zeros, buckets)

    @classmethod
    def decode(cls, data: bytes) -> Histogram:
        """Read the wire form.

        Raises
        ------
        ValueError
            The bytes are of another version, cut short, or name a bucket that is not there.
        """
        if not data or data[0] != _VERSION:
            raise ValueError("a latency histogram starts with its version, 1")
        numbers = _varints(data)
        zeros, buckets, index = next(numbers, None), dict[int, int](), 0
        if zeros is None:
            raise ValueError("a latency histogram must hold its count of zeros")
        for gap in numbers:
            count = next(numbers, 0)
            index += gap
            if not count or index >= BUCKETS or index in buckets:
                raise ValueError("a latency histogram has a bucket that cannot be")
            buckets[index] = count
        return cls(zeros, buckets)

    def encode(self) -> bytes:
        """Return the wire form; equal histograms have equal bytes."""
        out, before = bytearray([_VERSION]), 0
        _append_varint(out, self.zeros)
        for index in sorted(self.buckets):
            _append_varint(out, index - before)
            _append_varint(out, self.buckets[index])
            before = index
        return bytes(out)

    def merged(self, other: Histogram) -> Histogram:
        """Return the histogram of the values of both."""
        buckets = dict(self.buckets)
        for index, count in other.buckets.items():
            buckets[index] = buckets.get(index, 0) + count
        return Histogram(self.zeros + other.zeros, buckets)

    @property
    def count(self) -> int:
        """Number of values that were counted."""
        return self.zeros + sum(self.buckets.values())

    def quantile(self, q: float) -> float | None:
        """Estimate a quantile.

        Parameters
        ----------
        q
            Which quantile, in ``[0, 1]``.

        Returns
        -------
        float or None
            Milliseconds, within ``RELATIVE_ERROR`` of the value at rank ``floor(q * (n - 1))`` of
            the sorted values (0 for values below ``SMALLEST_MS``); ``None`` when nothing was
            counted.

        Raises
        ------
        ValueError
            ``q`` is outside ``[0, 1]``.

        Examples
        --------
        >>> round(Histogram.of([100.0] * 9 + [900.0]).quantile(0.5) or 0)
        99
        """
        if not 0 <= q <= 1:
            raise ValueError("a quantile must be in [0, 1]")
        if not self.count:
            return None
        above = int(q * (self.count - 1)) - self.zeros
        if above < 0:
            return 0.0
        for index in sorted(self.buckets):
            above -= self.buckets[index]
            if above < 0:
                break
        return _BOUNDS[index] * 2 / (GAMMA + 1)


def _append_varint(out: bytearray, number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _varints(data: bytes) -> Iterator[int]:
    """Yield the numbers after the version byte."""
    number = shift = 0
    for byte in data[1:]:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield number
            number = shift = 0
    if shift:
        raise ValueError("a latency histogram is cut short")
