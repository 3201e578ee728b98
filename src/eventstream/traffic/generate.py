"""Believable traffic of a small shop, the same for the same plan and generator.

Visits follow a daily rhythm and a quieter weekend; visitors browse, search, fill carts and buy, or
meet an error. One anomaly can be planted, so that its finding can be checked.
"""

from __future__ import annotations

import heapq
import random
import uuid
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from common.domain.windows import HOUR, from_ms, rfc3339, to_ms
from eventstream.output import UsageProblemError
from eventstream.traffic.catalog import HOURLY_WEIGHT, WEEKEND_WEIGHT
from eventstream.traffic.sessions import Chance, Step, make_visit

_SHOPPING = ("page_view", "product_view", "search", "add_to_cart", "checkout", "purchase")
EVENT_TYPES = (*_SHOPPING, "error", "exception")
_NAMESPACE = uuid.UUID("6a1f3c58-3f0e-5d7b-9a44-2f6c1de0b7a1")
_HOUR_MS = 3_600_000
_HOURLY_NOISE = 0.03


@dataclass(frozen=True, slots=True)
class Anomaly:
    """What to plant: one type, one hour, one figure."""

    event_type: str
    hours_before_end: int
    """1 is the last hour of the traffic."""
    factor: float
    metric: Literal["count", "latency"] = "count"
    """``count`` adds (factor - 1) times the type's mean hour so far; ``latency`` multiplies."""

    @classmethod
    def parse(cls, text: str) -> Anomaly:
        """Read ``TYPE:HOUR:FACTOR`` or ``TYPE:HOUR:FACTOR:latency``.

        Raises
        ------
        UsageProblemError
            Naming the part that doesn't fit.

        Examples
        --------
        >>> Anomaly.parse("error:3:8").factor
        8.0
        """
        parts = text.split(":")
        if len(parts) not in (3, 4):
            raise UsageProblemError(
                f"--anomaly {text!r}: write TYPE:HOUR:FACTOR or TYPE:HOUR:FACTOR:latency, "
                "such as error:3:8"
            )
        event_type, hour, factor = parts[:3]
        if event_type not in EVENT_TYPES:
            raise UsageProblemError(
                f"--anomaly: TYPE must be one of {', '.join(EVENT_TYPES)}, not {event_type!r}"
            )
        if not hour.isdecimal() or int(hour) < 1:
            raise UsageProblemError("--anomaly: HOUR counts back from the end, from 1")
        try:
            number = float(factor)
        except ValueError:
            number = 0.0
        if not 1.0 < number <= 1000.0:
            raise UsageProblemError("--anomaly: FACTOR must be a number over 1, at most 1000")
        if len(parts) == 3 or parts[3] == "count":
            return cls(event_type, int(hour), number)
        if parts[3] != "latency":
            raise UsageProblemError("--anomaly: the fourth part is `count` or `latency`")
        return cls(event_type, int(hour), number, "latency")


@dataclass(frozen=True, slots=True)
class Plan:
    """What traffic to make.

    Raises
    ------
    UsageProblemError
        A figure is outside its bounds, or the anomaly lies outside the hours.
    """

    ends_at: datetime
    """End of the last hour, exclusive; a whole hour."""
    hours: int = 96
    events: int = 30_000
    """How many, those of a planted spike not counted."""
    users: int = 2_000
    seed: int = 1
    anomaly: Anomaly | None = None

    def __post_init__(self) -> None:
        if self.ends_at != self.ends_at.replace(minute=0, second=0, microsecond=0):
            raise UsageProblemError("generated traffic must end at a whole hour")
        for name, least in (("hours", 1), ("events", 1), ("users", 1)):
            if getattr(self, name) < least:
                raise UsageProblemError(f"--{name} must be at least {least}")
        if self.anomaly and not 1 <= self.anomaly.hours_before_end <= self.hours:
            raise UsageProblemError(f"--anomaly: HOUR must be within the {self.hours} hours")

    @property
    def starts_at(self) -> datetime:
        """Start of the first hour."""
        return self.ends_at - self.hours * HOUR

    @property
    def anomaly_hour(self) -> datetime | None:
        """Start of the hour of the planted anomaly."""
        return self.ends_at - self.anomaly.hours_before_end * HOUR if self.anomaly else None


def generate(plan: Plan, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Make the events of a plan, in order of time.

    Parameters
    ----------
    plan
        What to make.
    rng
        The generator; the same state gives the same events.

    Yields
    ------
    dict
        One event as ``POST /events`` takes it. Its id is a function of the plan and its place.
    """
    for index, event in enumerate(_Traffic(plan, rng).events()):
        event["event_id"] = str(uuid.uuid5(_NAMESPACE, f"{plan}:{index}"))
        yield event


def hourly_quotas(plan: Plan, rng: random.Random) -> list[int]:
    """Share the events out over the hours by how busy each is; they add up to the plan's."""
    weights = []
    for number in range(plan.hours):
        hour = plan.starts_at + timedelta(hours=number)
        weekend = WEEKEND_WEIGHT if hour.weekday() >= 5 else 1.0
        noise = max(rng.gauss(1.0, _HOURLY_NOISE), 0.5)
        weights.append(HOURLY_WEIGHT[hour.hour] * weekend * noise)
    scale, quotas, carried = plan.events / sum(weights), [], 0.0
    for weight in weights:
        carried += weight * scale
        quotas.append(int(carried + 1e-6))
        carried -= quotas[-1]
    quotas[-1] += plan.events - sum(quotas)
    return quotas


class _Traffic:
    """The events hour by hour; a visit may run on into the next one."""

    def __init__(self, plan: Plan, rng: random.Random) -> None:
        self._plan, self._rng, self._chance = plan, rng, Chance(rng)
        self._waiting: list[tuple[int, int, dict[str, Any]]] = []
        self._made = 0
        self._counts: Counter[str] = Counter()
        self._recent: deque[dict[str, Any]] = deque(maxlen=50)

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield every event, oldest first."""
        start_ms = to_ms(self._plan.starts_at)
        for number, quota in enumerate(hourly_quotas(self._plan, self._rng)):
            hour_ms = start_ms + number * _HOUR_MS
            planted = self._plan.anomaly_hour == from_ms(hour_ms)
            if planted:
                self._plant_spike(hour_ms, hours_before=number)
            self._fill(hour_ms, quota)
            yield from self._until(hour_ms + _HOUR_MS, planted=planted)

    def _fill(self, hour_ms: int, quota: int) -> None:
        self._chance.slowness = min(max(self._rng.gauss(1.0, 0.08), 0.84), 1.16)
        end_ms = to_ms(self._plan.ends_at)
        while quota > 0:
            steps, signed_in = make_visit(self._chance)
            steps = steps[:quota]
            quota -= len(steps)
            start = hour_ms + self._rng.randrange(_HOUR_MS)
            start = min(start, end_ms - 1 - steps[-1].offset_ms)
            self._add_visit(max(start, hour_ms), steps, signed_in=signed_in)

    def _add_visit(self, start_ms: int, steps: list[Step], *, signed_in: bool) -> None:
        # A power law: few visitors come often, most come once.
        number = min(int(self._plan.users * self._rng.random() ** 2.2), self._plan.users - 1)
        who: dict[str, Any] = {"anonymous_id": f"a-{number:06d}"}
        if signed_in:
            who["user_id"] = f"u-{number:06d}"
        who["session_id"] = f"s-{self._rng.getrandbits(48):012x}"
        last_ms = to_ms(self._plan.ends_at) - 1
        for step in steps:
            at_ms = min(start_ms + step.offset_ms, last_ms)
            self._push(at_ms, {"event_type": step.event_type, **who, **step.body})

    def _push(self, at_ms: int, event: dict[str, Any]) -> None:
        heapq.heappush(self._waiting, (at_ms, self._made, event))
        self._made += 1

    def _until(self, end_ms: int, *, planted: bool) -> Iterator[dict[str, Any]]:
        anomaly = self._plan.anomaly
        while self._waiting and self._waiting[0][0] < end_ms:
            at_ms, _, event = heapq.heappop(self._waiting)
            event["timestamp"] = rfc3339(from_ms(at_ms))
            if anomaly and event["event_type"] == anomaly.event_type:
                self._counts[anomaly.event_type] += 1
                self._recent.append(event)
                if planted and anomaly.metric == "latency" and "latency_ms" in event:
                    event = {**event, "latency_ms": round(event["latency_ms"] * anomaly.factor, 1)}
            yield event

    def _plant_spike(self, hour_ms: int, *, hours_before: int) -> None:
        anomaly = self._plan.anomaly
        if anomaly is None or anomaly.metric != "count" or not self._recent:
            return
        mean = self._counts[anomaly.event_type] / hours_before
        for _ in range(round(mean * (anomaly.factor - 1))):
            model = self._rng.choice(self._recent)
            number = self._rng.randrange(self._plan.users)
            who = {"anonymous_id": f"a-{number:06d}", "user_id": f"u-{number:06d}"}
            session = {"session_id": f"s-{self._rng.getrandbits(48):012x}"}
            self._push(hour_ms + self._rng.randrange(_HOUR_MS), {**model, **who, **session})
