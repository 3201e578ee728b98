"""One hour, the writers that deliver its events, and the runs that aggregate it, interleaved.

The runs are the shipped service on stores in memory; each call of a store is a step, at which
another actor may go on instead, or this one dies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from aggregate.deps import Deps, Rules
from aggregate.figures import Figures
from aggregate.outbox import notify
from aggregate.service import aggregate, determine
from common.domain.keys import ALL_TYPES, alert_id
from common.domain.windows import HOUR, hours_between, rfc3339
from common.domain.zscore import MIN_BASELINE_WINDOWS
from common.models import AggregationResult
from common.ports.aggregates import HourProgress, TypeSpan
from fakes.aggregates import MemoryAggregates
from fakes.alerts import MemoryAlertOutbox, MemoryAlertPublisher
from fakes.lag import MemoryLag
from fakes.lake_hours import MemoryHours, Row, add_up
from faults.stepping import Runner, Runners

NINE = datetime(2026, 11, 20, 9, tzinfo=UTC)
NOW = NINE + timedelta(hours=5, minutes=10)
RULES = Rules(
    threshold=3.0,
    baseline=MIN_BASELINE_WINDOWS * HOUR,
    grace=timedelta(minutes=5),
    max_hours=168,
)
JUDGES = (
    RULES,
    replace(RULES, threshold=0.5),
    replace(RULES, threshold=50.0),
    replace(RULES, baseline=RULES.baseline / 2),
)
"""What runs at once may go by: another threshold, or a past too short for any verdict. Two runs
that see the same rows differ just so when an hour of the past was corrected between them."""

USUAL = 12
"""Events of the hours before: an hour that is read too early looks like a fall."""


CRASH_RATES = (0.0, 0.02, 0.1)
"""How likely a crash is at each step; one of them for a whole schedule."""

FATAL_STEPS = ("put_result", "record_alert", "find_alerts", "close_hour", "keep_hour_open")
"""Where a run dies for sure when its lot says so: the gaps between its writes."""

AGAIN_RATE = 0.3
"""How often the hour is done again after it was closed, by a run that dies."""

STALL_RATE = 0.2
MOST_TURNS = 30
"""Turns that an actor may let pass: a run before it starts, and anybody who stalls."""


class Crash(BaseException):
    """The process is gone; nothing may catch this."""


@dataclass(frozen=True)
class Design:
    """What is under test; another than the shipped one is a control."""

    store: type[MemoryAggregates] = MemoryAggregates
    wrap: Callable[[Deps], Deps] = lambda deps: deps
    mark_first: bool = False
    """Whether writers mark the hour before they put the object."""
    changing_types: bool = False
    """Whether clients send one id with two types, so that a type can vanish from an hour."""


@dataclass
class Actor:
    job: Callable[[], None]
    runner: Runner
    retries: bool
    """Whether it starts again after a crash until it is done."""
    dies_before: str | None = None
    """The step that it does not live to take, the first time that it comes to it."""
    turns_to_wait: int = 0


@dataclass
class Verdicts:
    schedules: int = 0
    wrong: int = 0
    """Schedules in which anything that follows is not zero."""
    stale: int = 0
    """Schedules whose results are not those of all rows, although no hour is open."""
    never_closed: int = 0
    mixed: int = 0
    """Schedules whose results are not all of the newest run, although no hour is open."""
    alerts_wrong: int = 0
    """Schedules in which an alert was lost, or one that does not hold is not resolved."""
    seen: Counter[str] = field(default_factory=Counter)


class Simulation:
    """One schedule."""

    def __init__(self, design: Design, rng: Random, runners: Runners) -> None:
        self._design = design
        self._rng = rng
        self._runners = runners
        self._current: Actor | None = None
        self._crash_rate = rng.choice(CRASH_RATES)
        self.seen: Counter[str] = Counter()
        self.hours = MemoryHours(self._step)
        self.store = design.store(self._step)
        self.alerts = MemoryAlertOutbox(self._step)
        self.publisher = MemoryAlertPublisher(self._step)
        self.deliveries = self._draw_deliveries()
        _fill_past(self.store)

    def run(self) -> None:
        """Let all go on in random order until they are done, then run until nothing is open."""
        live = [self._actor(self._writer(self.deliveries[n::2], n), retries=True) for n in (0, 1)]
        for _ in range(self._rng.randint(1, 4)):
            rules = self._rng.choice(JUDGES)
            run = self._aggregator(rules, drained=self._rng.random() < 0.85)
            actor = self._actor(run, retries=self._rng.random() < 0.5)
            actor.turns_to_wait = self._rng.randrange(MOST_TURNS)
            actor.dies_before = self._rng.choice((None, None, None, *FATAL_STEPS))
            live.append(actor)
        live.append(self._actor(self._notify, retries=False))
        live[-1].turns_to_wait = self._rng.randrange(MOST_TURNS)
        while live:
            actor = self._rng.choice(live)
            self._go_on(actor)
            if actor.runner.done and not self._starts_again(actor):
                live.remove(actor)
                self._runners.give_back(actor.runner)
        self._settle()
        if self._rng.random() < AGAIN_RATE:
            self._run_again_and_die()
            self._settle()

    def _run_again_and_die(self) -> None:
        """Do an hour that is closed once more, as by hand, and do not live to the end of it."""
        actor = self._actor(self._aggregator(self._rng.choice(JUDGES), drained=True), retries=False)
        actor.dies_before = self._rng.choice(FATAL_STEPS)
        while not actor.runner.done:
            self._go_on(actor)
        self._starts_again(actor)
        self._runners.give_back(actor.runner)

    def _settle(self) -> None:
        """Run as the schedule does, with nobody else about and nothing failing."""
        deps = replace(self._deps(drained=True), now=lambda: NOW + HOUR)
        for _ in range(3):
            if NINE not in determine({"scheduled_time": rfc3339(deps.now())}, deps).hours:
                break
            list(aggregate([NINE], "settling", deps))
        notify(deps)

    def _go_on(self, actor: Actor) -> None:
        if actor.turns_to_wait:
            actor.turns_to_wait -= 1
            return
        self._current = actor
        actor.runner.step()
        self._current = None
        if self._rng.random() < STALL_RATE:
            actor.turns_to_wait = self._rng.randrange(MOST_TURNS)

    def _starts_again(self, actor: Actor) -> bool:
        error = actor.runner.error
        if error is None:
            return False
        if not isinstance(error, Crash):
            raise error
        if actor.retries:
            actor.runner.begin(actor.job)
        return actor.retries

    def _actor(self, job: Callable[[], None], *, retries: bool) -> Actor:
        actor = Actor(job, self._runners.take(), retries)
        actor.runner.begin(job)
        return actor

    def _step(self, name: str) -> None:
        if self._current is None:
            return
        actor = self._current
        actor.runner.pause()
        if actor.dies_before == name or self._rng.random() < self._crash_rate:
            actor.dies_before = None
            self.seen[f"crash before {name}"] += 1
            raise Crash

    def _draw_deliveries(self) -> list[tuple[Row, ...]]:
        ids = [f"e{n}" for n in range(self._rng.choice((4, USUAL, 3 * USUAL)))]
        rows = [
            Row(n, event_id, self._type_of(event_id), f"user-{n % 5}")
            for n, event_id in enumerate([*ids, *self._rng.sample(ids, 3)])
        ]
        self._rng.shuffle(rows)  # several deliveries, of which each may come late
        cuts = sorted(self._rng.sample(range(1, len(rows)), self._rng.randrange(6)))
        bounds = zip([0, *cuts], [*cuts, len(rows)], strict=True)
        return [tuple(rows[start:end]) for start, end in bounds]

    def _type_of(self, event_id: str) -> str:
        if self._design.changing_types:
            return self._rng.choice(("click", "view"))
        return "view" if event_id == "e0" else "click"

    def _writer(self, deliveries: Sequence[tuple[Row, ...]], shard: int) -> Callable[[], None]:
        done = 0

        def deliver() -> None:
            nonlocal done
            while done < len(deliveries):
                together = self._rng.randint(1, len(deliveries) - done)
                rows = tuple(row for each in deliveries[done : done + together] for row in each)
                self._write(f"{shard}-{done}-{together}", rows)
                done += together

        return deliver

    def _write(self, key: str, rows: tuple[Row, ...]) -> None:
        if self._design.mark_first:
            self.store.raise_generation([NINE])
        self.hours.put(key, rows)
        if not self._design.mark_first:
            self.store.raise_generation([NINE])

    def _aggregator(self, rules: Rules, *, drained: bool) -> Callable[[], None]:
        deps = replace(self._deps(drained=drained), rules=rules)

        def run() -> None:
            for outcome in aggregate([NINE], "run", deps):
                self.seen["overtaken"] += outcome.is_stale
                self.seen["late"] += outcome.is_late
                self.seen[outcome.status] += 1
                self.seen["no finding"] += outcome.anomalies == 0
                self.seen["findings"] += outcome.anomalies > 0

        return run

    def _notify(self) -> None:
        notify(self._deps(drained=True))

    def _deps(self, *, drained: bool) -> Deps:
        return self._design.wrap(
            Deps(
                store=self.store,
                alerts=self.alerts,
                publisher=self.publisher,
                lag=MemoryLag(timedelta(0) if drained else None),
                read_hour=self.hours,
                now=lambda: NOW,
                rules=RULES,
            )
        )

    def count_alerts(self) -> None:
        """Count what became of alerts, to show that it happened at all."""
        for row in self.alerts.rows.values():
            self.seen["alert sent"] += row.state == "SENT"
            self.seen["alert resolved"] += row.resolved_at is not None

    def is_closed(self) -> bool:
        return not self.store.progress[NINE].is_open

    def is_stale(self) -> bool:
        """Compare what is stored with an independent count of every row that was delivered."""
        truth = add_up(row for rows in self.deliveries for row in rows)
        names = {*truth.types, *self.store.spans, ALL_TYPES}
        expected = {name: truth.types.get(name, Figures()) for name in names}
        expected[ALL_TYPES] = truth.total
        stored = {
            name: Figures(count=each.count, unique_users=each.unique_users)
            for (name, hour), each in self.store.results.items()
            if hour == NINE and each.status == "final"
        }
        return stored != expected

    def is_mixed(self) -> bool:
        """Say whether any result, or the hour itself, is of another run than the newest."""
        attempts = {each.attempt for (_, hour), each in self.store.results.items() if hour == NINE}
        newest = self.store.progress[NINE].attempt
        return {*attempts, self.store.summaries[NINE].attempt} != {newest}

    def has_wrong_alerts(self) -> bool:
        """Say whether an alert that holds was not sent, or one that does not is not resolved."""
        holds = {
            alert_id(name, NINE, finding.metric, finding.direction)
            for (name, hour), result in self.store.results.items()
            if hour == NINE
            for finding in result.anomalies
        }
        rows = self.alerts.rows
        sent = {each.alert_id for each in self.publisher.published}
        unresolved = {name for name, row in rows.items() if row.resolved_at is None}
        waiting = {name for name, row in rows.items() if row.state == "PENDING"}
        return unresolved != holds or not holds <= sent or bool(waiting)


def _fill_past(store: MemoryAggregates) -> None:
    """Have a day of final hours before the one under test, all of them as usual."""
    store.results.update(_PAST)
    for name in ("click", "view"):
        store.spans[name] = TypeSpan(name, NINE - RULES.baseline, NINE - HOUR)
    for hour in hours_between(NINE - RULES.baseline, NINE):
        store.progress[hour] = HourProgress(hour, 1, 1, "final")


def _past_result(name: str, hour: datetime) -> AggregationResult:
    count = {"click": USUAL - 1, "view": 1, ALL_TYPES: USUAL}[name]
    return AggregationResult(
        event_type=name,
        window_start=hour,
        window_end=hour + HOUR,
        count=count,
        errors=0,
        unique_users=min(count, 5),
        latency_count=0,
        status="final",
        generation=1,
        updated_at=hour + HOUR,
    )


_PAST = {
    (name, hour): _past_result(name, hour)
    for name in ("click", "view", ALL_TYPES)
    for hour in hours_between(NINE - RULES.baseline, NINE)
}


def run_schedules(design: Design, count: int, runners: Runners, *, name: str) -> Verdicts:
    """Run and judge ``count`` schedules; the same ones each time."""
    verdicts = Verdicts()
    for number in range(count):
        simulation = Simulation(design, Random(f"{name}/{number}"), runners)
        simulation.run()
        never_closed, stale = not simulation.is_closed(), simulation.is_stale()
        mixed, alerts_wrong = simulation.is_mixed(), simulation.has_wrong_alerts()
        verdicts.schedules += 1
        verdicts.wrong += never_closed or stale or mixed or alerts_wrong
        verdicts.never_closed += never_closed
        verdicts.stale += stale
        verdicts.mixed += mixed
        verdicts.alerts_wrong += alerts_wrong
        simulation.count_alerts()
        verdicts.seen.update(simulation.seen)
    return verdicts
