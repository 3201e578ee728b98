"""What the function's answer does to the checkpoint."""

from __future__ import annotations

from typing import Any

import pytest

from eventstream.local import batches
from functional.poller.conftest import MakeLane
from functional.poller.laptop import PARTIAL, Lane, Records, data_of, report, sequence_of


class Reports:
    """A function that reports its poisoned records so many times, and does the others."""

    def __init__(self, *poison: str, times: int = 10**9) -> None:
        self.poison = set(poison)
        self.times = times
        self.done: list[str] = []

    def __call__(self, records: Records) -> Any:
        bad = [sequence_of(each) for each in records if data_of(each) in self.poison]
        good = [data_of(each) for each in records if data_of(each) not in self.poison]
        self.done += good
        if bad and self.times:
            self.times -= 1
            return report(*bad)
        self.done += [data_of(each) for each in records if data_of(each) in self.poison]
        return report()


def test_the_checkpoint_is_before_the_lowest_failed_record(lane: MakeLane) -> None:
    found = lane(Reports("d", "c", times=1), **PARTIAL)
    sequences = found.put("a", "b", "c", "d", "e")

    found.run(until=lambda: len(found.calls) == 2 and sequences[4] in found.checkpoints)

    assert found.calls == [["a", "b", "c", "d", "e"], ["c", "d", "e"]]
    assert found.checkpoints == [sequences[1], sequences[4]]


def never_lost(found: Lane, function: Reports) -> bool:
    """Say whether every record that left the checkpoint behind was done or kept."""
    kept = {each for batch in found.discarded for each in batch}
    return set("abcde") <= set(function.done) | kept


def test_a_reported_record_is_sent_again_and_never_passed_over(lane: MakeLane) -> None:
    function = Reports("c", times=1)
    found = lane(function, **PARTIAL)
    last = found.put(*"abcde")[-1]

    found.run(until=lambda: last in found.checkpoints)

    assert never_lost(found, function)


def test_a_poller_that_checkpoints_past_the_failed_record_is_found_out(
    lane: MakeLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: it takes the highest failed record for the place to go on."""
    shipped = batches.outcome

    def careless(batch: Any, answer: Any, policy: Any) -> Any:
        result = shipped(batch, answer, policy)
        return batches.Outcome(done=min(result.done + 1, len(batch.records)))

    monkeypatch.setattr("eventstream.local.delivery.outcome", careless)
    function = Reports("c", times=1)
    found = lane(function, **PARTIAL)
    last = found.put(*"abcde")[-1]

    found.run(until=lambda: last in found.checkpoints)

    assert not never_lost(found, function)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(None, id="null"),
        pytest.param({}, id="empty object"),
        pytest.param({"batchItemFailures": []}, id="empty list"),
        pytest.param({"batchItemFailures": None}, id="null list"),
        pytest.param("", id="empty string"),
        pytest.param([], id="bare empty list"),
    ],
)
def test_an_empty_answer_is_a_complete_success(answer: Any, lane: MakeLane) -> None:
    found = lane(lambda _: answer, **PARTIAL)
    sequences = found.put("a", "b")

    found.run(seconds=30)

    assert found.calls == [["a", "b"]]
    assert found.checkpoints == [sequences[1]]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(report(""), id="empty identifier"),
        pytest.param(report(None), id="null identifier"),
        pytest.param({"batchItemFailures": [{"foo": "a"}]}, id="bad key"),
        pytest.param({"batchItemFailures": [{"foo": None}]}, id="bad key, null"),
        pytest.param(report(123), id="a number"),
        pytest.param(report("49" * 28), id="a record that was not sent"),
    ],
)
def test_an_identifier_that_names_no_record_fails_the_whole_batch(
    answer: Any, lane: MakeLane
) -> None:
    found = lane(lambda _: answer, MaximumRetryAttempts=2, **PARTIAL)
    found.put("a", "b", "c")

    found.run(until=lambda: bool(found.failures))

    assert found.calls == [["a", "b", "c"]] * 3
    assert found.discarded == [["a", "b", "c"]]


def test_one_foreign_identifier_among_good_ones_fails_the_whole_batch(lane: MakeLane) -> None:
    found = lane(
        lambda records: report(sequence_of(records[1]), "1"), MaximumRetryAttempts=0, **PARTIAL
    )
    found.put("a", "b", "c")

    found.run(until=lambda: bool(found.failures))

    assert found.discarded == [["a", "b", "c"]]


def test_reports_are_not_heard_unless_the_mapping_asks_for_them(lane: MakeLane) -> None:
    found = lane(Reports("b"))
    sequences = found.put("a", "b", "c")

    found.run(seconds=30)

    assert (found.calls, found.checkpoints) == ([["a", "b", "c"]], [sequences[2]])


def test_a_report_cuts_the_batch_at_its_record_and_not_in_the_middle(lane: MakeLane) -> None:
    found = lane(Reports("d", times=1), BisectBatchOnFunctionError=True, **PARTIAL)
    found.put(*"abcde")

    found.run(until=lambda: len(found.calls) == 2)

    assert found.calls == [["a", "b", "c", "d", "e"], ["d", "e"]]


def test_an_error_cuts_the_batch_in_the_middle_whether_it_may_report_or_not(
    lane: MakeLane,
) -> None:
    found = lane(_fail_if_many, BisectBatchOnFunctionError=True, **PARTIAL)
    found.put(*"abcd")

    found.run(until=lambda: len(found.calls) == 7)

    assert found.calls == [list("abcd"), list("ab"), ["a"], ["b"], list("cd"), ["c"], ["d"]]


def _fail_if_many(records: Records) -> None:
    if len(records) > 1:
        raise ValueError


@pytest.mark.parametrize("bisect", [False, True], ids=["whole", "bisect"])
def test_a_report_of_the_first_record_uses_a_retry(bisect: bool, lane: MakeLane) -> None:
    settings = {"MaximumRetryAttempts": 3, "BisectBatchOnFunctionError": bisect}
    found = lane(Reports("a"), **settings, **PARTIAL)
    found.put("a", "b")

    found.run(until=lambda: bool(found.failures))

    assert found.calls == [["a", "b"]] * 4
    assert found.failures[0]["requestContext"]["approximateInvokeCount"] == 4


def test_what_is_left_after_progress_has_all_its_retries(lane: MakeLane) -> None:
    found = lane(Reports("c"), MaximumRetryAttempts=3, **PARTIAL)
    found.put("a", "b", "c")

    found.run(until=lambda: bool(found.failures))

    assert found.calls == [["a", "b", "c"], *[["c"]] * 4]
    assert found.failures[0]["requestContext"]["approximateInvokeCount"] == 4
    assert found.discarded == [["c"]]
