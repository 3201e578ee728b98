"""Whole deliveries against a function that fails; comments name the page of the Lambda guide."""

from eventstream.local.batches import RETRIES_EXHAUSTED, TOO_OLD, Batch, Policy
from eventstream.local.delivery import Call, Delivery
from unit.local.streams import Clock, Function, Shelf, a_record, no_wait, records


def deliver(function: Function, policy: Policy, batch: Batch | None = None) -> Shelf:
    shelf = Shelf()
    delivery = Delivery(invoke=function, shelf=shelf, policy=policy, now_s=Clock(0.0), wait=no_wait)
    delivery.accept(batch or Batch(records(*range(1, 9))))
    assert delivery.deliver()
    assert delivery.oldest_arrival_s is None
    return shelf


def test_a_good_batch_is_sent_once_and_checkpointed() -> None:
    function = Function()

    shelf = deliver(function, Policy())

    assert function.calls == [[1, 2, 3, 4, 5, 6, 7, 8]]
    assert (shelf.checkpoints, shelf.discarded) == ([8], [])


# "Retain discarded batch records ...": bisect isolates bad records.
def test_with_bisect_a_poisoned_record_is_discarded_alone_and_the_rest_is_done_in_order() -> None:
    function = Function(poison={6})

    shelf = deliver(function, Policy(retries=1, bisect=True))

    assert [each[0] for each in shelf.discarded] == [[6]]
    assert shelf.discarded[0][1:] == (RETRIES_EXHAUSTED, 2)
    done = [call for call in function.calls if 6 not in call]
    assert [number for call in done for number in call] == [1, 2, 3, 4, 5, 7, 8]
    assert shelf.checkpoints == sorted(shelf.checkpoints)


def test_without_bisect_the_neighbours_of_a_poisoned_record_are_discarded_with_it() -> None:
    function = Function(poison={6})

    shelf = deliver(function, Policy(retries=1, bisect=False))

    assert [each[0] for each in shelf.discarded] == [[1, 2, 3, 4, 5, 6, 7, 8]]


# "Configuring partial batch response ...": retries start at the lowest failed record.
def test_with_partial_failures_the_records_before_the_poison_are_never_sent_again() -> None:
    function = Function(poison={4}, partial=True)

    shelf = deliver(function, Policy(retries=2, partial=True))

    assert function.calls[0] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert all(call == [4, 5, 6, 7, 8] for call in function.calls[1:])
    assert len(function.calls) == 1 + 3
    assert shelf.checkpoints == [3, 8]


def test_a_failure_that_heals_loses_nothing() -> None:
    def heal(call: int) -> Call | None:
        return Call("id", error="Unhandled") if call < 3 else None

    function = Function(before=heal)

    shelf = deliver(function, Policy(retries=5))

    assert (len(function.calls), shelf.checkpoints, shelf.discarded) == (3, [8], [])


# "Retain discarded batch records ...", before invocation: throttling is retried until the records
# expire; it is no attempt.
def test_a_function_that_cannot_be_called_costs_no_retry() -> None:
    def throttle(call: int) -> Call | None:
        return Call(reached=False) if call < 50 else None

    function = Function(before=throttle)

    shelf = deliver(function, Policy(retries=0))

    assert (shelf.checkpoints, shelf.discarded) == ([8], [])


# The same page: records that exceed the maximum age are discarded without being sent.
def test_a_record_that_is_too_old_is_discarded_without_a_call() -> None:
    function = Function()
    old_and_young = Batch((a_record(1, -100.0), a_record(2, -10.0)))

    shelf = deliver(function, Policy(max_age_s=60), old_and_young)

    assert shelf.discarded == [([1], TOO_OLD, 0)]
    assert shelf.last_calls == [None]
    assert function.calls == [[2]]


def test_a_discarded_batch_is_kept_before_the_checkpoint_passes_it() -> None:
    order: list[str] = []

    class Watching(Shelf):
        def checkpoint(self, sequence: str) -> None:
            order.append("checkpoint")

        def discard(self, batch: Batch, condition: str, last: object) -> None:
            order.append("discard")

    delivery = Delivery(
        invoke=Function(poison={1}),
        shelf=Watching(),
        policy=Policy(retries=0),
        now_s=Clock(0.0),
        wait=no_wait,
    )
    delivery.accept(Batch(records(1)))
    delivery.deliver()

    assert order == ["discard", "checkpoint"]


def test_a_stopping_poller_leaves_what_is_not_done_without_a_checkpoint() -> None:
    stopping = False

    def fail_and_stop(_call: int) -> Call:
        nonlocal stopping
        stopping = True
        return Call("id", error="Unhandled")

    shelf = Shelf()
    delivery = Delivery(
        invoke=Function(before=fail_and_stop),
        shelf=shelf,
        policy=Policy(),
        now_s=Clock(0.0),
        wait=lambda _seconds: stopping,
    )

    delivery.accept(Batch((a_record(1, 77.0), a_record(2, 78.0))))
    assert not delivery.deliver()
    assert shelf.checkpoints == []
    assert delivery.oldest_arrival_s == 77.0
