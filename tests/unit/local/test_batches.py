"""Each comment names the page of the Lambda developer guide whose rule the test holds."""

import pytest

from eventstream.local.batches import (
    RETRIES_EXHAUSTED,
    TOO_OLD,
    Batch,
    Outcome,
    Policy,
    backoff_s,
    give_up_old,
    judge,
    outcome,
)
from unit.local.streams import a_record, answer, numbers, records

PARTIAL = Policy(partial=True)
FIVE = Batch(records(1, 2, 3, 4, 5))
THIRD = a_record(3).sequence
FOURTH = a_record(4).sequence
FAILED = Outcome(failed=True)


# "Configuring partial batch response with Kinesis Data Streams and Lambda": complete success.
@pytest.mark.parametrize(
    "returned",
    [
        pytest.param(None, id="null EventResponse"),
        pytest.param({}, id="empty EventResponse"),
        pytest.param({"batchItemFailures": []}, id="empty list"),
        pytest.param({"batchItemFailures": None}, id="null list"),
    ],
)
def test_an_answer_without_failures_is_a_complete_success(returned: object) -> None:
    assert outcome(FIVE, returned, PARTIAL) == Outcome(done=5)


# The same page: complete failure.
@pytest.mark.parametrize(
    "returned",
    [
        pytest.param(answer(""), id="empty string itemIdentifier"),
        pytest.param(answer(None), id="null itemIdentifier"),
        pytest.param({"batchItemFailures": [{"itemId": THIRD}]}, id="bad key name"),
        pytest.param(answer(a_record(99).sequence), id="a record that wasn't sent"),
        pytest.param(answer(THIRD, "nonsense"), id="one good and one bad identifier"),
        pytest.param({"batchItemFailures": "all"}, id="no list"),
        pytest.param("done", id="no object"),
    ],
)
def test_an_answer_that_names_no_record_of_the_batch_fails_the_whole_batch(
    returned: object,
) -> None:
    assert outcome(FIVE, returned, PARTIAL) == FAILED


# The same page: "Lambda uses the record with the lowest sequence number as the checkpoint".
def test_the_checkpoint_is_before_the_lowest_failed_record() -> None:
    result = outcome(FIVE, answer(FOURTH, THIRD), PARTIAL)

    verdict = judge(FIVE, result, PARTIAL)

    assert verdict.checkpoint == a_record(2).sequence
    assert [numbers(batch) for batch in verdict.left] == [[3, 4, 5]]


# The same page: responses "will not be processed ... unless the feature is explicitly turned on".
def test_reported_failures_count_only_when_the_mapping_asks_for_them() -> None:
    assert outcome(FIVE, answer(THIRD), Policy(partial=False)) == Outcome(done=5)


def test_a_batch_that_is_done_is_checkpointed_at_its_highest_sequence_number() -> None:
    verdict = judge(FIVE, Outcome(done=5), PARTIAL)

    assert (verdict.checkpoint, verdict.left) == (a_record(5).sequence, ())


# "Retain discarded batch records ...": "if the function returns an error, Lambda retries".
def test_a_failed_batch_is_sent_again_whole_and_nothing_is_checkpointed() -> None:
    verdict = judge(FIVE, FAILED, Policy(retries=3))

    assert verdict.checkpoint is None
    assert verdict.left == (Batch(FIVE.records, attempts=1),)


# The same page: retries end at MaximumRetryAttempts; n retries are n + 1 invocations.
@pytest.mark.parametrize(("attempts_before", "given_up"), [(0, False), (1, False), (2, True)])
def test_a_batch_is_given_up_after_its_retries(attempts_before: int, given_up: bool) -> None:
    verdict = judge(Batch(FIVE.records, attempts_before), FAILED, Policy(retries=2))

    assert (verdict.discarded is not None) is given_up
    if verdict.discarded is not None:
        assert verdict.condition == RETRIES_EXHAUSTED
        assert verdict.discarded.attempts == 3
        assert verdict.checkpoint == a_record(5).sequence


# "Lambda parameters for Amazon Kinesis Data Streams event source mappings": -1 means infinite.
def test_without_a_limit_a_batch_is_never_given_up_for_its_attempts() -> None:
    verdict = judge(Batch(FIVE.records, attempts=100_000), FAILED, Policy(retries=-1))

    assert verdict.discarded is None


# "Retain discarded batch records ...": bisect "splits a failed batch into two smaller batches".
def test_a_failed_batch_is_cut_in_two_and_the_earlier_half_goes_first() -> None:
    verdict = judge(FIVE, FAILED, Policy(retries=0, bisect=True))

    assert [numbers(batch) for batch in verdict.left] == [[1, 2], [3, 4, 5]]


# The same page: "Splitting batches doesn't consume the retry quota".
def test_cutting_a_batch_uses_no_retry() -> None:
    verdict = judge(Batch(FIVE.records, attempts=0), FAILED, Policy(retries=0, bisect=True))

    assert [batch.attempts for batch in verdict.left] == [0, 0]


def test_a_single_record_is_not_cut_but_given_up() -> None:
    one = Batch(records(7))

    verdict = judge(one, FAILED, Policy(retries=0, bisect=True))

    assert verdict.discarded is not None
    assert numbers(verdict.discarded) == [7]


# "Configuring partial batch response ...": with both settings "the batch is bisected at the
# returned sequence number, and Lambda retries only the remaining records".
def test_a_partial_failure_is_cut_at_the_failed_record_and_not_in_the_middle() -> None:
    policy = Policy(retries=0, bisect=True, partial=True)

    verdict = judge(FIVE, outcome(FIVE, answer(FOURTH), policy), policy)

    assert [numbers(batch) for batch in verdict.left] == [[4, 5]]


def test_a_partial_failure_at_the_first_record_is_a_retry_of_the_same_batch() -> None:
    policy = Policy(retries=5, bisect=True, partial=True)

    verdict = judge(FIVE, outcome(FIVE, answer(a_record(1).sequence), policy), policy)

    assert verdict.left == (Batch(FIVE.records, attempts=1),)


# The guide is silent; so it was recorded on AWS: progress makes a new batch.
def test_what_is_left_after_progress_has_all_its_retries() -> None:
    late = Batch(FIVE.records, attempts=9)

    verdict = judge(late, Outcome(done=1), Policy(retries=10, partial=True))

    assert verdict.left == (Batch(records(2, 3, 4, 5), attempts=0),)


# "Retain discarded batch records ...": records that "exceed the maximum age" are discarded.
def test_records_over_the_maximum_age_are_given_up_and_the_younger_ones_kept() -> None:
    batch = Batch((a_record(1, 100.0), a_record(2, 150.0), a_record(3, 200.0)))

    verdict = give_up_old(batch, Policy(max_age_s=60), now_s=220.0)

    assert verdict is not None
    assert verdict.discarded is not None
    assert (numbers(verdict.discarded), verdict.condition) == ([1, 2], TOO_OLD)
    assert [numbers(left) for left in verdict.left] == [[3]]
    assert verdict.checkpoint == a_record(2).sequence


def test_records_within_the_maximum_age_are_sent() -> None:
    batch = Batch((a_record(1, 100.0),))

    assert give_up_old(batch, Policy(max_age_s=60), now_s=160.0) is None


# "Lambda parameters ...": with -1 "Kinesis Data Streams data retention settings still apply".
def test_without_a_maximum_age_the_retention_of_the_stream_is_the_limit() -> None:
    batch = Batch((a_record(1, 0.0),))
    policy = Policy(max_age_s=-1, retention_s=3600)

    assert give_up_old(batch, policy, now_s=3600.0) is None
    assert give_up_old(batch, policy, now_s=3600.1) is not None


def test_the_pause_doubles_and_has_an_end() -> None:
    pauses = [backoff_s(attempts) for attempts in (1, 2, 3, 1000)]

    assert pauses == [0.1, 0.2, 0.4, 10.0]
