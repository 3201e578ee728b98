"""Errors, throttles, retries, ages, and what becomes of a batch that is given up."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from eventstream.local import batches
from functional.poller.conftest import MakeLane
from functional.poller.laptop import DEFAULTS, PARTIAL, Records, data_of, report, throttled


class Fails:
    """A function that raises at its poisoned records, so many times."""

    def __init__(self, *poison: str, times: int = 10**9) -> None:
        self.poison = set(poison)
        self.times = times

    def __call__(self, records: Records) -> None:
        if self.times and self.poison & {data_of(each) for each in records}:
            self.times -= 1
            raise ValueError("poisoned")


def test_a_failed_batch_is_sent_again_whole_before_anything_after_it(lane: MakeLane) -> None:
    found = lane(Fails("b", times=2), BatchSize=2)
    sequences = found.put("a", "b", "c")

    found.run(until=lambda: sequences[2] in found.checkpoints)

    assert found.calls == [["a", "b"]] * 3 + [["c"]]
    assert found.checkpoints == [sequences[1], sequences[2]]


@pytest.mark.parametrize("retries", [0, 1, 5])
def test_a_batch_is_given_up_after_its_retries_and_the_shard_goes_on(
    retries: int, lane: MakeLane
) -> None:
    found = lane(Fails("a"), BatchSize=1, MaximumRetryAttempts=retries)
    sequences = found.put("a", "b")

    found.run(until=lambda: sequences[1] in found.checkpoints)

    assert found.calls == [["a"]] * (retries + 1) + [["b"]]
    assert found.discarded == [["a"]]
    assert found.failures[0]["requestContext"]["condition"] == "RetryAttemptsExhausted"


def test_halving_uses_up_no_retry_and_leaves_the_poison_alone(lane: MakeLane) -> None:
    found = lane(Fails("c"), MaximumRetryAttempts=1, BisectBatchOnFunctionError=True)
    last = found.put(*"abcdefgh")[-1]

    found.run(until=lambda: last in found.checkpoints)

    assert found.discarded == [["c"]]
    assert found.calls == [
        list("abcdefgh"),
        list("abcd"),
        list("ab"),
        list("cd"),
        ["c"],
        ["c"],
        ["d"],
        list("efgh"),
    ]


def test_a_poller_whose_halves_use_up_retries_is_found_out(
    lane: MakeLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: halves go on counting, so neighbours of the poison are given up with it."""
    shipped = batches.judge

    def costly(batch: Any, result: Any, policy: Any) -> Any:
        if result.failed and 0 <= policy.retries < batch.attempts + 1:
            tried = batches.Batch(batch.records, batch.attempts + 1)
            return batches.Verdict(tried.last_sequence, tried, batches.RETRIES_EXHAUSTED)
        verdict = shipped(batch, result, policy)
        left = tuple(batches.Batch(each.records, batch.attempts + 1) for each in verdict.left)
        return batches.Verdict(verdict.checkpoint, verdict.discarded, verdict.condition, left)

    monkeypatch.setattr("eventstream.local.delivery.judge", costly)
    found = lane(Fails("c"), MaximumRetryAttempts=1, BisectBatchOnFunctionError=True)
    last = found.put(*"abcdefgh")[-1]

    found.run(until=lambda: last in found.checkpoints)

    assert found.discarded != [["c"]]


def test_without_a_limit_a_batch_is_retried_until_the_stream_forgets_it(lane: MakeLane) -> None:
    found = lane(Fails("a"))
    found.put("a")

    found.run(seconds=26 * 3600, until=lambda: bool(found.failures))

    assert len(found.calls) > 1000
    assert found.failures[0]["requestContext"]["condition"] == "RecordAgeExceeded"


def test_a_record_that_is_too_old_is_given_up_unsent_and_its_neighbour_sent(
    lane: MakeLane,
) -> None:
    found = lane(Fails(), MaximumRecordAgeInSeconds=60)
    found.put("old", age_s=80)
    last = found.put("young")[-1]

    found.run(until=lambda: last in found.checkpoints)

    assert (found.calls, found.discarded) == ([["young"]], [["old"]])
    [failure] = found.failures
    assert failure["requestContext"]["condition"] == "RecordAgeExceeded"
    assert failure["requestContext"]["approximateInvokeCount"] == 1
    assert "responseContext" not in failure


def test_a_record_may_grow_too_old_while_it_is_retried(lane: MakeLane) -> None:
    found = lane(Fails("a"), MaximumRecordAgeInSeconds=60)
    began_s = found.now_s
    found.put("a")

    found.run(until=lambda: bool(found.failures))

    [failure] = found.failures
    assert failure["requestContext"]["condition"] == "RecordAgeExceeded"
    assert failure["requestContext"]["approximateInvokeCount"] == len(found.calls) > 1
    assert 60 < found.now_s - began_s < 75


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(throttled(), id="throttle"),
        pytest.param(
            ClientError({"Error": {"Code": "ServiceException"}}, "Invoke"), id="service error"
        ),
    ],
)
def test_a_function_that_cannot_be_called_costs_no_retry(
    refusal: ClientError, lane: MakeLane
) -> None:
    left = [refusal] * 40

    def busy(_records: Records) -> None:
        if left:
            raise left.pop()

    found = lane(busy, MaximumRetryAttempts=0)
    last = found.put("a")[-1]

    found.run(until=lambda: last in found.checkpoints)

    assert (len(found.calls), found.failures) == (41, [])


def test_a_throttled_record_is_given_up_when_it_grows_too_old(lane: MakeLane) -> None:
    def busy(_records: Records) -> None:
        raise throttled()

    found = lane(busy, MaximumRetryAttempts=0, MaximumRecordAgeInSeconds=60)
    found.put("a")

    found.run(until=lambda: bool(found.failures))

    assert found.failures[0]["requestContext"]["condition"] == "RecordAgeExceeded"


def test_a_function_that_gives_no_answer_has_failed(lane: MakeLane) -> None:
    found = lane(Fails(), MaximumRetryAttempts=1)
    found.put("a")
    answers: list[Exception] = [ReadTimeoutError(endpoint_url="http://127.0.0.1")] * 2
    shipped = found.function.invoke

    def silent(**request: Any) -> Any:
        shipped(**request)
        raise answers.pop()

    found.function.invoke = silent  # type: ignore[method-assign]
    found.run(until=lambda: bool(found.failures))

    assert found.discarded == [["a"]]
    assert found.failures[0]["requestContext"]["approximateInvokeCount"] == 2


def test_a_record_too_large_for_an_event_fails_alone(lane: MakeLane) -> None:
    def refuse_large(records: Records) -> None:
        if any(len(data_of(each)) > 5_000_000 for each in records):
            raise ClientError({"Error": {"Code": "RequestTooLargeException"}}, "Invoke")

    found = lane(refuse_large, MaximumRetryAttempts=0)
    last = found.put("a", "x" * 5_500_000, "b")[-1]

    found.run(until=lambda: last in found.checkpoints)

    assert [[len(each) for each in batch] for batch in found.discarded] == [[5_500_000]]
    assert [call for call in found.calls if len(call[0]) == 1] == [["a"], ["b"]]


def test_the_failure_object_has_the_key_that_lambda_gives_it(lane: MakeLane) -> None:
    found = lane(Fails("a"), MaximumRetryAttempts=0)
    found.put("a")

    found.run(until=lambda: bool(found.failures))

    [key] = found.session.s3.objects
    [day, second] = re.findall(r"/(\d{4}/\d\d/\d\d)/(\S+?)-[0-9a-f]{8}-", key)[0]
    assert re.fullmatch(
        rf"aws/lambda/{found.poller.mapping.uuid}/shardId-000000000000/{day}/{second}"
        r"-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}",
        key,
    )
    at = datetime.strptime(second, "%Y-%m-%dT%H.%M.%S").replace(tzinfo=UTC)
    assert f"{at:%Y/%m/%d}" == day
    assert f"{at:%Y-%m-%dT%H:%M:%S}" == found.failures[0]["timestamp"][:19]


def test_the_failure_object_has_the_fields_that_lambda_gives_it(lane: MakeLane) -> None:
    found = lane(Fails("a"), MaximumRetryAttempts=1)
    [sequence] = found.put("a")
    arrived = f"{datetime.fromtimestamp(found.now_s, UTC):%Y-%m-%dT%H:%M:%S.000Z}"

    found.run(until=lambda: bool(found.failures))

    [failure] = found.failures
    payload = json.loads(failure.pop("payload"))
    timestamp = failure.pop("timestamp")
    assert failure == {
        "requestContext": {
            "requestId": "request-1",
            "functionArn": "arn:function",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 2,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "KinesisBatchInfo": {
            "shardId": "shardId-000000000000",
            "startSequenceNumber": sequence,
            "endSequenceNumber": sequence,
            "approximateArrivalOfFirstRecord": arrived,
            "approximateArrivalOfLastRecord": arrived,
            "batchSize": 1,
            "streamArn": DEFAULTS["EventSourceArn"],
        },
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", timestamp)
    assert [data_of(record) for record in payload["Records"]] == ["a"]


def test_a_batch_that_was_reported_to_the_end_shows_a_null_function_error(lane: MakeLane) -> None:
    found = lane(lambda _: report(""), MaximumRetryAttempts=0, **PARTIAL)
    found.put("a")

    found.run(until=lambda: bool(found.failures))

    assert found.failures[0]["responseContext"]["functionError"] is None


def test_without_a_destination_a_batch_that_is_given_up_is_gone(lane: MakeLane) -> None:
    found = lane(Fails("a"), BatchSize=1, MaximumRetryAttempts=0, DestinationConfig={})
    last = found.put("a", "b")[-1]

    found.run(until=lambda: last in found.checkpoints)

    assert (found.calls, found.failures) == ([["a"], ["b"]], [])


def test_what_is_given_up_is_kept_before_the_checkpoint_passes_it(lane: MakeLane) -> None:
    found = lane(Fails("a"), MaximumRetryAttempts=0)
    found.put("a")
    put, refused = found.session.s3.put_object, [True, True]

    def refuse_twice(**request: Any) -> None:
        if refused:
            refused.pop()
            assert found.checkpoints == []
            raise ClientError({"Error": {"Code": "SlowDown"}}, "PutObject")
        put(**request)

    found.session.s3.put_object = refuse_twice  # type: ignore[method-assign]
    found.run(until=lambda: bool(found.checkpoints))

    assert found.discarded == [["a"]]
