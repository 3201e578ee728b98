"""The process is killed at every point of a delivery, and started again from its checkpoint."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from eventstream.local.batches import Batch, Policy
from eventstream.local.delivery import Call, Delivery
from eventstream.local.on_failure import LastCall
from unit.local.streams import answer, numbers, records

EVERY = range(1, 9)
POISON = 6
MOST_ACTIONS = 40


class KilledError(Exception):
    """Stands for ``kill -9``."""


@dataclass
class World:
    """Everything outside the process; it survives, and kills the process at one action."""

    killed_at: int
    after_the_effect: bool
    partial: bool
    actions: int = 0
    done_up_to: int = 0
    processed: list[int] = field(default_factory=list)
    discarded: list[int] = field(default_factory=list)

    def act(self, effect: Callable[[], object]) -> None:
        self.actions += 1
        if self.actions == self.killed_at and not self.after_the_effect:
            raise KilledError
        effect()
        if self.actions == self.killed_at:
            raise KilledError

    def invoke(self, batch: Batch) -> Call:
        before_the_poison = [number for number in numbers(batch) if number < POISON]
        good = before_the_poison if POISON in numbers(batch) else numbers(batch)
        self.act(lambda: self.processed.extend(good))
        if POISON not in numbers(batch):
            return Call("id", answer=None)
        if self.partial:
            return Call("id", answer=answer(records(POISON)[0].sequence))
        return Call("id", error="Unhandled")

    def checkpoint(self, sequence: str) -> None:
        self.act(lambda: setattr(self, "done_up_to", int(sequence)))

    def discard(self, batch: Batch, condition: str, last: LastCall | None) -> None:
        self.act(lambda: self.discarded.extend(numbers(batch)))

    def live(self) -> None:
        """Run the process until it is done or killed."""
        left = [number for number in EVERY if number > self.done_up_to]
        delivery = Delivery(
            invoke=self.invoke,
            shelf=self,
            policy=Policy(retries=1, bisect=True, partial=self.partial),
            now_s=lambda: 0.0,
            wait=lambda _seconds: False,
        )
        if left:
            delivery.accept(Batch(records(*left)))
            delivery.deliver()


class Careless(World):
    """The control: it notes a batch as done before it sends it."""

    def invoke(self, batch: Batch) -> Call:
        self.checkpoint(batch.last_sequence)
        return super().invoke(batch)


def after_a_kill(kind: type[World], killed_at: int, *, after: bool, partial: bool) -> World:
    world = kind(killed_at, after, partial)
    try:
        world.live()
    except KilledError:
        world.live()
    return world


@pytest.mark.parametrize("partial", [False, True], ids=["errors", "reports"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("killed_at", range(1, MOST_ACTIONS))
def test_no_record_is_lost_wherever_the_process_is_killed(
    killed_at: int, after: bool, partial: bool
) -> None:
    world = after_a_kill(World, killed_at, after=after, partial=partial)

    assert set(world.processed) | set(world.discarded) == set(EVERY)
    assert POISON in world.discarded
    assert world.done_up_to == max(EVERY)


def test_the_control_that_checkpoints_too_early_loses_records() -> None:
    worlds = [
        after_a_kill(Careless, killed_at, after=after, partial=False)
        for killed_at in range(1, MOST_ACTIONS)
        for after in (False, True)
    ]

    lost = [world for world in worlds if set(world.processed) | set(world.discarded) != set(EVERY)]
    assert lost


def test_every_action_of_a_delivery_was_a_point_to_be_killed_at() -> None:
    world = World(killed_at=0, after_the_effect=False, partial=False)

    world.live()

    assert 5 < world.actions < MOST_ACTIONS
