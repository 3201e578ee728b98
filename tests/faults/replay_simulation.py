"""Schedules in which batches are given up and lines are poison, and a replayer that dies.

The replayer is the shipped one. It runs between the calls of the invocations, and every call of
its own can be refused, lose its answer, or be the last before it is killed.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from common.config import IngestConfig
from common.domain.bad_lines import BadLine
from common.domain.keys import quarantine_key
from common.errors import StoreError, ThrottledError
from common.ports.stream import PutFailure, StreamRecord
from eventstream.replay.account import Account
from eventstream.replay.failed import read_failed
from eventstream.replay.job import Replay, replay_failures, replay_quarantine
from eventstream.replay.judging import Place, Ready, Rejudge
from eventstream.replay.kept import Kept, Listed, read_kept
from eventstream.replay.sending import Pace, Sender
from fakes.ingest_settings import INGEST_SETTINGS
from fakes.stream import Hourglass
from faults.judge import _totals, ids_in
from faults.mapping import Lane
from faults.mapping import Mapping as EventSourceMapping
from faults.simulation import Family, Simulation, Subject
from faults.stepping import Runners
from faults.traffic import STREAM, Sent
from faults.world import Crash, World
from ingest.delivery import Waiting

REPLAY = Family(
    "discard + replay + redelivery + killed replayer",
    EventSourceMapping(bisect=True, regress=0.1, out_of_order=0.1, discard=True),
    rates=(0.03, 0.06),
)
_FAULTY_PASSES = 6
"""Runs of the replayer that may fail; after them nothing is given up, so that all ends."""
_WRITTEN_AT = datetime(2026, 11, 20, 10, 8, tzinfo=UTC)
REJUDGE = Rejudge(IngestConfig.from_env(INGEST_SETTINGS))

Change = Callable[[bytes], bytes]
"""What a control does to a line on its way."""


@dataclass
class Objects:
    """Objects that wait, behind calls of a process that may be killed at each."""

    found: dict[str, bytes]
    call: Callable[[str, Callable[[], Any]], Any]
    replayed: set[str] = field(default_factory=set)
    lines: dict[str, set[int]] = field(default_factory=dict)

    def was_replayed(self, key: str) -> bool:
        return key in self.replayed

    def replayed_lines(self, key: str) -> frozenset[int]:
        return frozenset(self.lines.get(key, ()))

    def note_lines(self, key: str, lines: Iterable[int]) -> None:
        self.call("note", lambda: self.lines.setdefault(key, set()).update(lines))

    def settle(self, key: str) -> None:
        self.call("copy", lambda: self.replayed.add(key))
        self.drop(key)

    def drop(self, key: str) -> None:
        self.call("delete", lambda: self.found.pop(key, None))

    def read(self, reader: Callable[[Listed, bytes], Any]) -> Iterator[tuple[Any, bool]]:
        for key, body in list(self.found.items()):
            yield reader(Listed(key, len(body), _WRITTEN_AT), body), self.was_replayed(key)


@dataclass
class ReplaySimulation(Simulation):
    """A schedule after which everything that was sent must be in the lake, once for its id."""

    change: Change = lambda line: line
    make: Callable[..., Replay] = Replay

    def __post_init__(self) -> None:
        super().__post_init__()
        self.passes = 0
        self.closed: int | None = None
        self.failures = Objects({}, self._spoil)
        self.quarantine = Objects(self.world.lake.quarantined, self._spoil)

    def run(self) -> None:
        """Run until nothing waits for a replay."""
        while True:
            super().run()
            if not (self.failures.found or self.quarantine.found):
                return
            self._pass()

    @property
    def truth(self) -> set[str]:
        """Name every event that was sent, and every poison line by what it is mended to."""
        return {
            mended_id(one.sequence, number) if line.poison is not None else line.event_id
            for one in self.sent
            for number, line in enumerate(one.lines)
        }

    def _replay(self, lane: Lane) -> None:
        """Write what was discarded where Lambda does; now and then replay what waits."""
        if lane.discarded:
            key = f"aws/lambda/mapping/{lane.records[0].shard}/{len(self.faults)}-{self.deliveries}"
            self.failures.found[key] = given_up(lane.discarded)
            self.faults["given up"] += 1
            lane.discarded.clear()
        if self.rng.random() < 0.1 and (self.failures.found or self.quarantine.found):
            self._pass()

    def _pass(self) -> None:
        """Run the replayer once over each source, until it ends or is killed."""
        self.passes += 1
        self.faults["replays"] += 1
        is_faulty = self.passes <= _FAULTY_PASSES
        self.closed = self.rng.choice((None, None, 0, 1)) if is_faulty else None
        if self.passes > _FAULTY_PASSES:
            for lane in self.lanes:
                lane.how = replace(lane.how, discard=False)
        failures, quarantine = Account("failures"), Account("quarantine")
        try:
            work = self.make(self.failures, self._sender(), failures)
            for _ in replay_failures(work, self.failures.read(read_failed), REJUDGE, self):
                pass
            work = self.make(self.quarantine, self._sender(), quarantine)
            found = self.quarantine.read(read_kept)
            for _ in replay_quarantine(work, self.quarantine, found, mend):
                pass
        except Crash:
            self.faults["replayer killed"] += 1
        for account in (failures, quarantine):
            self.faults["replayed before"] += account.replayed_before
            self.faults["unacknowledged"] += account.unacknowledged

    def _sender(self) -> Sender:
        time = Hourglass()
        waiting = Waiting(time.clock, time.sleep, lambda: 0.5)
        patience_s = self.rng.choice((0.0, 10.0))
        return Sender(self, 8, Pace(None, waiting), waiting, patience_s)  # type: ignore[arg-type]

    def keep(self, bad: Sequence[BadLine]) -> None:
        """Quarantine the bad lines of a batch, as :class:`BadLineKeeper` does in S3."""
        for each in bad:
            at = each.position
            key = quarantine_key(at.stream, at.shard, at.sequence, each.line)
            if not self.quarantine.was_replayed(key):
                self._spoil("keep", lambda each=each: self.world.lake.put_quarantine([each]))

    def put(self, records: Sequence[StreamRecord]) -> Sequence[PutFailure | None]:
        """Take records as Kinesis does: any may fail, and any answer may get lost."""
        fault = self.rng.random() if self.passes <= _FAULTY_PASSES else 1.0
        if fault < 0.05:
            raise ThrottledError("refused")
        answers: list[PutFailure | None] = []
        for record in records:
            refused = fault < 0.25 and self.rng.random() < 0.5
            refused |= int(record.partition_key) % 2 == self.closed
            answers.append("throttled" if refused else None)
            self.faults["record refused"] += refused
            if not refused:
                self._append(record)
        if 0.25 <= fault < 0.35:
            self.faults["put, and killed"] += 1
            raise Crash
        if 0.35 <= fault < 0.45:
            self.faults["put, and the answer lost"] += 1
            raise StoreError("the answer got lost")
        return answers

    def _append(self, record: StreamRecord) -> None:
        lane = self.lanes[int(record.partition_key) % len(self.lanes)]
        last = max(int(other.sequence) for other in lane.records)
        data = b"\n".join(self.change(line) for line in record.data.split(b"\n"))
        shard, sequence = lane.records[0].shard, str(last + 7)
        handed = Sent.of(shard, sequence, 0, ()).record
        handed["kinesis"]["data"] = base64.b64encode(data).decode()
        lane.records.append(Sent(shard, sequence, 0, (), handed))

    def _spoil(self, what: str, apply: Callable[[], Any]) -> Any:
        fault = self.rng.random() if self.passes <= _FAULTY_PASSES else 1.0
        if fault < 0.08:
            self.faults[f"killed before {what}"] += 1
            raise Crash
        answer = apply()
        if fault < 0.16:
            self.faults[f"killed after {what}"] += 1
            raise Crash
        return answer


def mended_id(sequence: str, line: int) -> str:
    return f"mended-{sequence}-{line}"


def mend(kept: Kept, line: int, raw: bytes) -> Any:
    """Do what a person does with a poison line: make an event of it."""
    at = kept.bad.position
    event = {"event_type": "mended", "event_id": mended_id(at.sequence, line)}
    verdict = REJUDGE.message(json.dumps(event), None, Place(at, line, kept.bad.arrived_at))
    assert isinstance(verdict, Ready)
    return verdict


def given_up(batch: Sequence[Sent]) -> bytes:
    return json.dumps(
        {
            "requestContext": {"condition": "RetryAttemptsExhausted"},
            "KinesisBatchInfo": {
                "shardId": batch[0].shard,
                "startSequenceNumber": batch[0].sequence,
                "endSequenceNumber": batch[-1].sequence,
                "batchSize": len(batch),
                "streamArn": f"arn:aws:kinesis:eu-west-1:123456789012:stream/{STREAM}",
            },
            "payload": json.dumps({"Records": [one.record for one in batch]}),
        }
    ).encode()


@dataclass
class ReplayVerdicts:
    """What a set of schedules came to."""

    schedules: int = 0
    lost: int = 0
    """Schedules after which an event that was sent is not in the lake."""
    extra: int = 0
    """Schedules after which the lake holds an event that nobody sent."""
    over: int = 0
    """Schedules in which a hot window counts more than was sent."""
    deliveries: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def add(self, run: ReplaySimulation) -> None:
        ids, truth = ids_in(run.world), run.truth
        over, _ = _totals(run.world, run.expected)
        self.schedules += 1
        self.lost += bool(truth - ids)
        self.extra += bool(ids - truth)
        self.over += over
        self.deliveries += run.deliveries
        self.seen.update(run.faults)
        for lane in run.lanes:
            self.seen.update(lane.counts)


def run_replays(
    count: int, runners: Runners, change: Change = lambda line: line, make: Any = Replay
) -> ReplayVerdicts:
    """Run and judge ``count`` schedules; the same ones each time."""
    verdicts = ReplayVerdicts()
    for number in range(count):
        rng = Random(f"replay/{number}")
        one = ReplaySimulation(REPLAY, Subject(), rng, runners, World(), change=change, make=make)
        one.run()
        verdicts.add(one)
    return verdicts
