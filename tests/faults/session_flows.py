"""Flows that write the same people at the same instants, on a clock of their own.

The table refuses what DynamoDB refuses: a write of an item that a transaction holds, and a
transaction of one that another holds. Nothing else goes wrong: whatever comes again, comes again
for the sake of the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from botocore.exceptions import ClientError

from common.adapters.patience import Waiting
from common.adapters.session_items import person_of
from common.adapters.session_store import DynamoSessionStore
from common.domain.decode import decode_batch
from common.domain.sessions import Person
from common.domain.timelines import Timeline
from common.errors import StoreError, ThrottledError
from faults.session_traffic import RULES, Visit, expected_timelines, of_the_stream
from faults.stepping import Runner, Runners
from faults.traffic import Sent, Sequences
from process.sessions import Sessions

_NOON_MS = 1_795_176_000_000
_BATCHES = 12
_REDELIVERY_S = 0.2
_MOST_REDELIVERIES = 500

MakeWaiting = Callable[["Flows"], Waiting]


class Table:
    """The calls of a client, each of which takes its time."""

    def __init__(self, flows: Flows) -> None:
        self._flows = flows
        self.items: dict[str, Any] = {}
        self.held: set[str] = set()

    def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803 - botocore's name
        self._flows.takes(0.003)
        [(table, wanted)] = RequestItems.items()
        names = [key["pk"]["S"] for key in wanted["Keys"]]
        return {"Responses": {table: [self.items[pk] for pk in names if pk in self.items]}}

    def put_item(self, **put: Any) -> None:
        self._flows.takes(0.003)
        if _pk(put) in self.held:
            raise _refused("TransactionConflictException")
        if not self._holds(put):
            self._flows.seen["lost"] += 1
            raise _refused("ConditionalCheckFailedException", Item=self.items[_pk(put)])
        self.items[_pk(put)] = put["Item"]

    def transact_write_items(self, TransactItems: Any) -> None:  # noqa: N803 - botocore's name
        self._flows.takes(0.003)
        puts = [each["Put"] for each in TransactItems]
        mine = {_pk(put) for put in puts}
        if mine & self.held:
            self._cancel({"Code": _met(_pk(put) in self.held)} for put in puts)
        self.held |= mine
        self._flows.takes(0.008)
        self.held -= mine
        if not all(map(self._holds, puts)):
            self._flows.seen["lost"] += 1
            self._cancel(self._reason(put) for put in puts)
        self.items |= {_pk(put): put["Item"] for put in puts}

    def _cancel(self, reasons: Any) -> None:
        found = list(reasons)
        self._flows.seen["met"] += any(each["Code"] == _met(True) for each in found)
        raise _refused("TransactionCanceledException", CancellationReasons=found)

    def _reason(self, put: Any) -> dict[str, Any]:
        if self._holds(put):
            return {"Code": "None"}
        return {"Code": "ConditionalCheckFailed", "Item": self.items[_pk(put)]}

    def _holds(self, put: Any) -> bool:
        stored = self.items.get(_pk(put))
        if stored is None:
            return "attribute_not_exists" in put["ConditionExpression"]
        values = put.get("ExpressionAttributeValues")
        return bool(values) and stored["version"] == values[":old"]


def _pk(put: Any) -> str:
    return str(put["Item"]["pk"]["S"])


def _met(held: bool) -> str:
    return "TransactionConflict" if held else "None"


def _refused(code: str, **more: Any) -> ClientError:
    return ClientError({"Error": {"Code": code}} | more, "Write")  # type: ignore[arg-type]


def in_time(flows: Flows) -> Waiting:
    """Wait as the function does, on the clock of the flows."""
    return Waiting(lambda: flows.now_s, flows.takes, flows.rng.random)


def at_once(flows: Flows) -> Waiting:
    """Try again twice, without a pause: the control."""

    def clock() -> float:
        flows.seen["asked"] += 1
        return flows.seen["asked"] * 10.0

    return Waiting(clock, lambda _: None, flows.rng.random)


@dataclass
class Flows:
    """Some flows, each with a function, whose batches begin at about the same instants."""

    rng: Random
    runners: Runners
    waiting: MakeWaiting = in_time
    seen: Counter[str] = field(default_factory=Counter)
    now_s: float = 0.0
    sent: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.table = Table(self)
        self._wakes: dict[Runner, float] = {}
        self._now: Runner | None = None
        sequences, people = Sequences(self.rng), self.rng.choice((1, 3, 40, 130))
        self._batches = [
            [self._record(flow, number, sequences, people) for number in range(_BATCHES)]
            for flow in range(self.rng.choice((2, 2, 3, 4)))
        ]

    def _record(self, flow: int, number: int, sequences: Sequences, people: int) -> Sent:
        """Make a batch of one record: of everybody, or of some, which is of one now and then."""
        who = range(people) if flow % 2 else range(self.rng.choice((1, (people + 1) // 2)))
        visits = tuple(
            Visit(f"{flow}-{number}-{n}", Person("user", f"u{n}"), _NOON_MS, _NOON_MS, None, False)
            for n in who
        )
        sent = of_the_stream(f"flow-{flow}", "shardId-000000000000", sequences.next(), 0, visits)
        self.sent.append(sent)
        return sent

    def takes(self, seconds: float) -> None:
        """Let time pass for the flow that runs, and the others go on meanwhile."""
        runner = self._now
        assert runner is not None
        self._wakes[runner] = self.now_s + seconds * self.rng.uniform(0.5, 1.5)
        runner.pause()

    def run(self) -> None:
        """Go on with whoever wakes first until all is done."""
        for batches in self._batches:
            runner = self.runners.take()
            runner.begin(lambda batches=batches: self._flow(batches))  # type: ignore[misc]
            self._wakes[runner] = self.rng.uniform(0, 0.01)
        while self._wakes:
            runner = min(self._wakes, key=self._wakes.__getitem__)
            self.now_s = self._wakes.pop(runner)
            self._now = runner
            runner.step()
            if runner.done:
                self.runners.give_back(runner)
                if runner.error:
                    raise runner.error

    def _flow(self, batches: Sequence[Sent]) -> None:
        store = DynamoSessionStore(self.table, "t", RULES, self.waiting(self))  # type: ignore[arg-type]
        sessions = Sessions(store, RULES)
        for number, batch in enumerate(batches):
            self.takes(max(0.0, number * 0.1 - self.now_s) + 0.005)
            lines = decode_batch([batch.record]).lines
            while not self._assigned(sessions, lines):
                self.takes(_REDELIVERY_S)

    def _assigned(self, sessions: Sessions, lines: Any) -> bool:
        self.seen["deliveries"] += 1
        try:
            sessions.assign(lines)
        except (ThrottledError, StoreError):
            self.seen["redelivered"] += 1
            assert self.seen["redelivered"] < _MOST_REDELIVERIES
            return False
        return True

    @property
    def found(self) -> Mapping[Person, Timeline]:
        """Return what is stored in the end."""
        return {of.person: of.timeline for of in map(person_of, self.table.items.values())}


@dataclass
class FlowVerdicts:
    """What some runs of flows came to."""

    runs: int = 0
    wrong: int = 0
    batches: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def add(self, flows: Flows) -> None:
        self.runs += 1
        self.wrong += flows.found != expected_timelines(flows.sent, RULES)
        self.batches += len(flows.sent)
        self.seen.update(flows.seen)


def run_flows(count: int, runners: Runners, waiting: MakeWaiting = in_time) -> FlowVerdicts:
    """Run and judge ``count`` sets of flows; the same ones each time."""
    verdicts = FlowVerdicts()
    for number in range(count):
        flows = Flows(Random(f"flows/{number}"), runners, waiting)
        flows.run()
        verdicts.add(flows)
    return verdicts
