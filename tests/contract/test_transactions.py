"""Writes of a table that is busy: they are repeated after pauses, and given up in good time."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws
from moto.core.botocore_stubber import MockRawResponse

from common.adapters.calls import CLIENT_CONFIG
from common.adapters.patience import LIMIT_S, SHORT_S, Patience, Waiting
from common.adapters.transactions import Transactions
from common.errors import StoreError, ThrottledError
from fakes.aws_answers import skip_waits
from fakes.stream import Hourglass
from template.checks.reading import read_template

CANCELED = "TransactionCanceledException"
LOST, CONFLICT, NONE = "ConditionalCheckFailed", "TransactionConflict", "None"
THROTTLED = "ThrottlingError"
STORED = {"pk": {"S": "stored"}}

Refusal = str | list[str] | None
"""The code of a call that is refused, or those of a cancelled transaction; ``None``: none."""


class Busy:
    """A client that refuses some writes, one after another, and takes the ones after them."""

    def __init__(self, *refusals: Refusal, always: Refusal = None) -> None:
        self._refusals = list(refusals)
        self._always = always
        self.calls = 0

    def transact_write_items(self, **_: Any) -> None:
        self._write()

    def put_item(self, **_: Any) -> None:
        self._write()

    def _write(self) -> None:
        self.calls += 1
        refusal = self._refusals.pop(0) if self._refusals else self._always
        if isinstance(refusal, str):
            raise ClientError({"Error": {"Code": refusal}, "Item": STORED}, "PutItem")  # type: ignore[typeddict-unknown-key]
        if refusal is not None:
            reasons = [
                {"Code": code} | ({"Item": STORED} if code == LOST else {}) for code in refusal
            ]
            answer = {"Error": {"Code": CANCELED}, "CancellationReasons": reasons}
            raise ClientError(answer, "TransactWriteItems")  # type: ignore[arg-type]


@pytest.fixture
def time() -> Hourglass:
    return Hourglass()


def put(client: object, time: Hourglass, count: int, drawn: float = 0.5) -> Any:
    waiting = Waiting(time.clock, time.sleep, lambda: drawn)
    return Transactions(client, "events", Patience(waiting)).put([{}] * count)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("count", "refusal"),
    [
        pytest.param(2, [THROTTLED, NONE], id="table throttled"),
        pytest.param(2, [NONE, "ProvisionedThroughputExceeded"], id="partition throttled"),
        pytest.param(2, [CONFLICT, THROTTLED], id="throttled and met another"),
        pytest.param(2, [CONFLICT, NONE], id="met another transaction"),
        pytest.param(2, "ThrottlingException", id="call throttled"),
        pytest.param(2, "ProvisionedThroughputExceededException", id="call over capacity"),
        pytest.param(2, "RequestLimitExceeded", id="account throttled"),
        pytest.param(2, "TransactionInProgressException", id="its own try still runs"),
        pytest.param(1, "ThrottlingException", id="single throttled"),
        pytest.param(1, "ProvisionedThroughputExceededException", id="single over capacity"),
        pytest.param(1, "TransactionConflictException", id="single met a transaction"),
    ],
)
def test_a_write_that_a_busy_table_refuses_is_repeated_after_a_pause(
    count: int, refusal: Refusal, time: Hourglass
) -> None:
    client = Busy(*[refusal] * 6)

    assert put(client, time, count) == {}
    assert client.calls == 7
    assert len(time.pauses) == 6
    assert min(time.pauses) > 0


@pytest.mark.parametrize(("count", "refusal"), [(2, [CONFLICT, NONE]), (1, f"{CONFLICT}Exception")])
@pytest.mark.parametrize("drawn", [0.0, 0.999])
def test_who_meets_another_write_waits_for_10_to_100_ms(
    count: int, refusal: Refusal, drawn: float, time: Hourglass
) -> None:
    put(Busy(*[refusal] * 4), time, count, drawn)

    assert all(0.01 <= pause <= SHORT_S for pause in time.pauses)
    assert len(set(time.pauses)) == 1


def test_pauses_of_a_throttled_table_grow_up_to_two_seconds(time: Hourglass) -> None:
    put(Busy(*[[THROTTLED, NONE]] * 8), time, 2, drawn=0.999)

    assert time.pauses == sorted(time.pauses)
    assert time.pauses[0] <= SHORT_S
    assert 1.9 < time.pauses[-1] <= 2


@pytest.mark.parametrize("drawn", [0.0, 0.5, 0.999])
@pytest.mark.parametrize(
    ("count", "refusal", "why"),
    [
        (2, [THROTTLED, NONE], "TransactWriteItems was throttled: ThrottlingError"),
        (2, [CONFLICT, NONE], "TransactWriteItems met other writes of the same events"),
        (1, "ThrottlingException", "PutItem was throttled: Throttling"),
        (1, "TransactionConflictException", "PutItem met other writes of the same events"),
    ],
)
def test_a_table_that_stays_busy_is_given_up_when_the_time_is_over(
    count: int, refusal: Refusal, why: str, drawn: float, time: Hourglass
) -> None:
    with pytest.raises(ThrottledError, match=why):
        put(Busy(always=refusal), time, count, drawn)

    assert LIMIT_S - 2 <= time.now_s <= LIMIT_S


def test_the_time_is_a_batchs_and_not_a_transactions(time: Hourglass) -> None:
    patience = Patience(Waiting(time.clock, time.sleep, lambda: 0.5))
    transactions = Transactions(Busy(always=[THROTTLED, NONE]), "events", patience)  # type: ignore[arg-type]
    ends = []
    for _ in range(2):
        with pytest.raises(ThrottledError):
            transactions.put([{}, {}])
        ends.append(time.now_s)
    patience.begin()
    with pytest.raises(ThrottledError):
        transactions.put([{}, {}])

    assert ends[1] <= LIMIT_S
    assert time.now_s > 1.8 * LIMIT_S


def test_work_between_pauses_is_no_waiting(time: Hourglass) -> None:
    patience = Patience(Waiting(time.clock, time.sleep, lambda: 0.5))
    client = Busy(*[[CONFLICT, NONE], None, [LOST, CONFLICT], None] * 20)
    transactions = Transactions(client, "events", patience)  # type: ignore[arg-type]

    for _ in range(60):
        transactions.put([{}, {}])
        time.now_s += 1.0  # as long as a transaction of large items may take

    assert time.now_s > 4 * LIMIT_S
    assert len(time.pauses) == 20


def test_tries_that_come_to_nothing_are_waiting_too(time: Hourglass) -> None:
    class Slow(Busy):
        def _write(self) -> None:
            time.now_s += 3.0
            super()._write()

    with pytest.raises(ThrottledError):
        put(Slow(always=[THROTTLED, NONE]), time, 2)

    assert time.now_s <= LIMIT_S + 2 * 3.0  # the first one, and one that began in time


def test_the_pauses_of_both_stores_leave_half_of_the_functions_time() -> None:
    timeout_s: int = read_template()["Resources"]["ProcessFunction"]["Properties"]["Timeout"]

    assert timeout_s / 2 >= 2 * LIMIT_S


def test_conditions_that_were_lost_beside_a_conflict_are_told_at_once(time: Hourglass) -> None:
    client = Busy([LOST, CONFLICT, NONE])

    assert put(client, time, 3) == {0: STORED}
    assert (client.calls, time.pauses) == (1, [])


def test_conditions_that_were_lost_beside_a_throttle_are_told_after_a_pause(
    time: Hourglass,
) -> None:
    client = Busy([THROTTLED, LOST, NONE])

    assert put(client, time, 3) == {1: STORED}
    assert (client.calls, len(time.pauses)) == (1, 1)


def test_a_lost_condition_does_not_hide_a_table_that_stays_throttled(time: Hourglass) -> None:
    patience = Patience(Waiting(time.clock, time.sleep, lambda: 0.5))
    transactions = Transactions(Busy(always=[THROTTLED, LOST]), "events", patience)  # type: ignore[arg-type]

    told = 0
    with pytest.raises(ThrottledError, match="throttled"):  # noqa: PT012 - until it is raised
        while True:
            assert transactions.put([{}, {}]) == {1: STORED}
            told += 1
    assert told > 10
    assert time.now_s <= LIMIT_S


@pytest.mark.parametrize(
    ("count", "refusal"),
    [
        (2, [THROTTLED, "ValidationError"]),
        (2, [LOST, "ItemCollectionSizeLimitExceeded"]),
        (2, "ValidationException"),
        (1, "ResourceNotFoundException"),
    ],
)
def test_what_would_be_refused_again_is_not_repeated(
    count: int, refusal: Refusal, time: Hourglass
) -> None:
    client = Busy(refusal)

    with pytest.raises(StoreError):
        put(client, time, count)
    assert (client.calls, time.pauses) == (1, [])


def _cancelled(request: Any) -> AWSResponse:
    reasons = [{"Code": CONFLICT}, {"Code": NONE}]
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{CANCELED}", "Message": "m"}
    raw = MockRawResponse(json.dumps(body | {"CancellationReasons": reasons}).encode())
    return AWSResponse(request.url, 400, {}, raw)  # type: ignore[arg-type]


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_try_of_ours_is_another_transaction_and_one_of_botocores_the_same(
    cancelled: bool, time: Hourglass, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_waits(monkeypatch)
    tokens: list[str] = []

    def send(request: Any, **_: Any) -> AWSResponse:
        tokens.append(json.loads(request.body)["ClientRequestToken"])
        if len(tokens) == 1:
            if cancelled:
                return _cancelled(request)
            raise ReadTimeoutError(endpoint_url="x")
        return AWSResponse(request.url, 200, {}, MockRawResponse(b"{}"))  # type: ignore[arg-type]

    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1", config=CLIENT_CONFIG)
        client.meta.events.register_first("before-send.dynamodb.TransactWriteItems", send)
        puts = [{"TableName": "t", "Item": {"pk": {"S": str(n)}}} for n in range(2)]
        waiting = Waiting(time.clock, time.sleep, lambda: 0.5)

        assert Transactions(client, "x", Patience(waiting)).put(puts) == {}
    assert len(tokens) == 2
    assert len(set(tokens)) == (2 if cancelled else 1)
    assert len(time.pauses) == cancelled
