"""No alert is lost wherever a sender dies; one is repeated only between publish and mark."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from random import Random

import pytest

from aggregate.deps import Deps
from aggregate.outbox import Sent, notify
from common.domain.windows import HOUR
from common.errors import StoreError
from common.models import AnomalyAlert
from common.ports.alerts import LEASE_SECONDS
from fakes.aggregate_builders import NINE, World, a_quiet_past, a_window
from fakes.alerts import MemoryAlertOutbox, MemoryAlertPublisher
from faults.families import interleavings
from faults.hours import Crash
from faults.stepping import Runner, Runners
from faults.summary import Figures

GATE = 5000
SOON = NINE + HOUR
LATER = SOON + timedelta(seconds=LEASE_SECONDS)


def an_hour_with_anomalies() -> World:
    world = World()
    a_quiet_past(world, 24)
    world.put_clicks(412, NINE)
    world.call(**a_window())
    return world


AGGREGATED = an_hour_with_anomalies()
ALERTS = AGGREGATED.alerts.pending()


class Sending:
    """An outbox, a topic, and senders that die or are told of failures."""

    def __init__(self, outbox: type[MemoryAlertOutbox] = MemoryAlertOutbox) -> None:
        self.outbox = outbox()
        self.publisher = LossyPublisher()
        self.outbox.record(ALERTS, 1)
        self.outbox.step = self.publisher.step = self.step
        self.gaps = 0
        """Times that something went wrong between publish and mark."""
        self._steps_left: int | None = None

    def step(self, name: str) -> None:
        if self._steps_left == 0:
            self.gaps += name == "mark_alert_sent"
            raise Crash
        if self._steps_left is not None:
            self._steps_left -= 1

    def send(self, now: datetime, dies_after: int | None = None) -> bool:
        """Run a sender; say whether it lived, or died after that many store calls."""
        self._steps_left = dies_after
        try:
            notify(self.deps(now))
        except Crash:
            return False
        finally:
            self._steps_left = None
        return True

    def deps(self, now: datetime) -> Deps:
        world = World(now=now, alerts=self.outbox, store=AGGREGATED.store)
        return replace(world.deps(), publisher=self.publisher)

    def published(self) -> Counter[str]:
        return Counter(alert.alert_id for alert in self.publisher.published)

    def lost(self) -> int:
        return sum(self.published()[alert.alert_id] == 0 for alert in ALERTS)

    def repeats(self) -> int:
        return self.published().total() - len(self.published())

    def is_done(self) -> bool:
        return {row.state for row in self.outbox.rows.values()} == {"SENT"}


class LossyPublisher(MemoryAlertPublisher):
    """Sends some alerts and says that it did not, as a lost answer does."""

    def __init__(self) -> None:
        super().__init__()
        self.answers_lost = 0
        self.loses: Random | None = None

    def publish(self, alert: AnomalyAlert) -> None:
        super().publish(alert)
        if self.loses is not None and self.loses.random() < 0.1:
            self.answers_lost += 1
            raise StoreError("sns:Publish failed: ReadTimeoutError")


class Claiming(MemoryAlertOutbox):
    """The control: marks an alert as sent when it is taken, before it is published."""

    def lease(self, alert: AnomalyAlert, now: datetime) -> bool:
        taken = super().lease(alert, now)
        if taken:
            super().mark_sent(alert, now)
        return taken

    def mark_sent(self, alert: AnomalyAlert, at: datetime) -> None:
        self.step("mark_alert_sent")


class Unleased(MemoryAlertOutbox):
    """The control: lets everybody take an alert that waits."""

    def lease(self, alert: AnomalyAlert, now: datetime) -> bool:
        self.step("lease_alert")
        return self.rows[alert.alert_id].state == "PENDING"


def steps_of_a_sender() -> int:
    sending, steps = Sending(), 0
    while not sending.send(SOON, dies_after=steps):
        sending, steps = Sending(), steps + 1
    return steps


STEPS = steps_of_a_sender()
STEPS_TO_FIRST_MARK = 3
"""List what waits, lease, publish."""


@pytest.mark.parametrize("dies_after", range(STEPS + 1))
def test_whatever_call_a_sender_dies_before_the_next_one_sends_the_rest(dies_after: int) -> None:
    sending = Sending()

    sending.send(SOON, dies_after)
    assert sending.send(LATER)

    assert (sending.lost(), sending.is_done()) == (0, True)
    assert sending.repeats() == sending.gaps <= 1


def test_two_senders_that_die_one_after_the_other_lose_nothing() -> None:
    for first, second in product(range(STEPS + 1), repeat=2):
        sending = Sending()

        sending.send(SOON, first)
        sending.send(LATER, second)
        sending.send(LATER + timedelta(seconds=LEASE_SECONDS))

        assert (sending.lost(), sending.is_done()) == (0, True)
        assert sending.repeats() == sending.gaps <= 2


def test_an_alert_that_another_sender_holds_is_left_to_it_while_its_lease_lasts() -> None:
    sending = Sending()
    sending.send(SOON, dies_after=STEPS_TO_FIRST_MARK)

    early = notify(sending.deps(LATER - timedelta(seconds=1)))
    assert (early, sending.repeats()) == (Sent(sent=len(ALERTS) - 1, pending=1), 0)

    late = notify(sending.deps(LATER))
    assert (late, sending.repeats()) == (Sent(sent=1, pending=0), 1)


def test_senders_at_once_that_die_anywhere_lose_nothing_and_repeat_only_in_the_gap(
    runners: Runners, figures: Figures
) -> None:
    seen: Counter[str] = Counter()
    for number in range(interleavings(GATE)):
        sending = interleave(MemoryAlertOutbox, Random(f"senders/{number}"), runners)

        assert (sending.lost(), sending.is_done()) == (0, True), number
        assert sending.repeats() <= sending.gaps + sending.publisher.answers_lost, number
        seen["repeat"] += bool(sending.repeats())
        seen["gap"] += bool(sending.gaps)
        seen["answer lost"] += bool(sending.publisher.answers_lost)

    figures.family(
        *("alerts: senders that die anywhere", interleavings(GATE), 0),
        note=f"{seen['repeat']:,} with a repeat, all in the gap",
    )
    assert min(seen["repeat"], seen["gap"], seen["answer lost"]) > interleavings(GATE) // 20


def test_claiming_first_loses_alerts(runners: Runners, figures: Figures) -> None:
    trials = [interleave(Claiming, Random(f"claiming/{n}"), runners) for n in range(500)]

    lost = sum(sending.lost() > 0 for sending in trials)
    figures.control("alerts, claimed first: lost", lost, len(trials), more_than=0.1)


def test_without_a_lease_senders_at_once_repeat_each_other(
    runners: Runners, figures: Figures
) -> None:
    trials = [
        interleave(Unleased, Random(f"unleased/{n}"), runners, crash_rate=0.0) for n in range(500)
    ]
    leased = [
        interleave(MemoryAlertOutbox, Random(f"unleased/{n}"), runners, crash_rate=0.0)
        for n in range(500)
    ]

    assert sum(sending.repeats() > 0 for sending in leased) == 0
    repeated = sum(sending.repeats() > 0 for sending in trials)
    figures.control("alerts, no lease: repeated", repeated, len(trials), more_than=0.1)


def interleave(
    outbox: type[MemoryAlertOutbox], rng: Random, runners: Runners, crash_rate: float = 0.08
) -> Sending:
    """Let senders go on in random order, each until it is done or dies; then run one more."""
    sending = Sending(outbox)
    running: list[Runner] = []

    def step(name: str) -> None:
        current[0].pause()
        if rng.random() < crash_rate:
            sending.gaps += name == "mark_alert_sent"
            raise Crash

    sending.outbox.step = sending.publisher.step = step
    sending.publisher.loses = rng if crash_rate else None
    current: list[Runner] = []
    for _ in range(rng.randint(1, 3)):
        running.append(runners.take())
        running[-1].begin(lambda: notify(sending.deps(SOON)))
    while running:
        current[:] = [rng.choice(running)]
        current[0].step()
        if current[0].done:
            assert current[0].error is None or isinstance(current[0].error, Crash)
            running.remove(current[0])
            runners.give_back(current[0])
    sending.outbox.step = sending.publisher.step = sending.step
    sending.publisher.loses = None
    assert sending.send(LATER)
    return sending
