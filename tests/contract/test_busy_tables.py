"""Tables that are busy for a batch as a whole: it is waited for them, and not without end."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from common.adapters.event_index import DynamoEventIndex
from common.adapters.patience import LIMIT_S, Waiting
from common.adapters.session_store import DynamoSessionStore
from common.domain.decode import StreamBatch, decode_batch
from common.domain.event_index import IndexRules
from common.domain.sessions import SessionRules
from common.errors import ThrottledError
from fakes.process_builders import a_record, an_event
from fakes.stream import Hourglass
from process.index import EventIndex
from process.sessions import Sessions

RULES = IndexRules.of(14)
SESSION_RULES = SessionRules.of(30, 7)
UNITS_A_SECOND = 4_000
"""What a new table on demand takes."""
CALL_S = 0.02
EVENTS = 6_000


class SmallTable:
    """Takes so many units a second, of refused transactions too, and saves none up."""

    def __init__(self, time: Hourglass) -> None:
        self._time = time
        self._units, self._second = float(UNITS_A_SECOND), 0
        self.items: dict[str, Any] = {}
        self.refused = 0

    def transact_write_items(self, TransactItems: Any) -> None:  # noqa: N803 - botocore's name
        self._time.now_s += CALL_S
        if int(self._time.now_s) > self._second:
            self._units, self._second = UNITS_A_SECOND, int(self._time.now_s)
        cost = 2 * len(TransactItems)
        if cost > self._units:
            self.refused += 1
            self._cancel([{"Code": "ThrottlingError"}, *[{"Code": "None"}] * (cost // 2 - 1)])
        self._units -= cost
        puts = [each["Put"] for each in TransactItems]
        stored = [self.items.get(put["Item"]["pk"]["S"]) for put in puts]
        if any(stored):
            self._cancel(
                [
                    {"Code": "ConditionalCheckFailed", "Item": item} if item else {"Code": "None"}
                    for item in stored
                ]
            )
        self.items |= {put["Item"]["pk"]["S"]: put["Item"] for put in puts}

    def _cancel(self, reasons: list[dict[str, Any]]) -> None:
        answer = {
            "Error": {"Code": "TransactionCanceledException"},
            "CancellationReasons": reasons,
        }
        raise ClientError(answer, "TransactWriteItems")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def batch() -> StreamBatch:
    lines = [json.dumps(an_event(event_id=f"e-{number}")).encode() for number in range(EVENTS)]
    record = a_record()
    record["kinesis"]["data"] = base64.b64encode(b"\n".join(lines)).decode()
    return decode_batch([record])


def admitted(batch: StreamBatch, table: SmallTable, waiting: Waiting) -> int:
    store = DynamoEventIndex(table, "t", RULES, waiting)  # type: ignore[arg-type]
    return len(EventIndex(store, RULES).admit(batch.lines, batch.bad))


def test_a_throttled_batch_is_claimed_in_one_delivery_and_in_time(batch: StreamBatch) -> None:
    time = Hourglass()
    table = SmallTable(time)
    waiting = Waiting(time.clock, time.sleep, lambda: 0.5)

    assert admitted(batch, table, waiting) == EVENTS
    assert table.refused > 0
    assert time.now_s < 2 * EVENTS * 2 / UNITS_A_SECOND

    # Delivered again, for another reason, it costs no more.
    assert admitted(batch, table, waiting) == EVENTS


def test_without_pauses_a_throttled_batch_begins_anew_at_each_delivery(batch: StreamBatch) -> None:
    time = Hourglass()
    table = SmallTable(time)
    impatient = Waiting(time.clock, time.sleep, lambda: float("inf"))

    for _ in range(5):
        with pytest.raises(ThrottledError):
            admitted(batch, table, impatient)
        time.now_s = int(time.now_s) + 1.0

    assert len(table.items) == UNITS_A_SECOND / 2


class StaysBusy:
    """Knows nobody, and takes no write."""

    def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803 - botocore's name
        return {"Responses": {table: [] for table in RequestItems}}

    def transact_write_items(self, **_: Any) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "TransactWriteItems")


@pytest.mark.parametrize("stage", ["index", "sessions"])
def test_each_batch_has_its_own_time_to_wait(stage: str) -> None:
    time = Hourglass()
    waiting = Waiting(time.clock, time.sleep, lambda: 0.5)
    index = EventIndex(DynamoEventIndex(StaysBusy(), "t", RULES, waiting), RULES)  # type: ignore[arg-type]
    sessions = Sessions(
        DynamoSessionStore(StaysBusy(), "t", SESSION_RULES, waiting),  # type: ignore[arg-type]
        SESSION_RULES,
    )
    lines = decode_batch(
        [a_record(*(an_event(event_id=name, user_id=name) for name in ("ada", "bob")))]
    ).lines

    for nth in range(1, 4):
        with pytest.raises(ThrottledError):
            _ = index.admit(lines, ()) if stage == "index" else sessions.assign(lines)
        assert 0.8 * nth * LIMIT_S < time.now_s <= nth * LIMIT_S
