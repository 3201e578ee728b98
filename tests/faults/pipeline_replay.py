"""The shipped replayer on what a pipeline gave up or could not read; a step may kill it."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from common.domain.bad_lines import BadLine
from common.domain.keys import quarantine_key
from common.errors import StoreError
from common.ports.stream import PutFailure, StreamRecord
from eventstream.replay.account import Account
from eventstream.replay.failed import read_failed
from eventstream.replay.job import Replay, replay_failures, replay_quarantine
from eventstream.replay.kept import read_kept
from eventstream.replay.sending import Pace, Sender
from fakes.stream import Hourglass
from faults.pipeline_stream import BUCKETS, Stream
from faults.replay_simulation import REJUDGE, Objects, given_up, mend
from faults.traffic import Sent
from faults.world import Crash
from ingest.delivery import Waiting

ANSWERS = ("taken", "half refused", "taken, and killed", "taken, and the answer lost")


class Replayer:
    """Failure bucket and quarantine, and a replayer that puts what lies there on the stream."""

    def __init__(self, stream: Stream, quarantined: dict[str, bytes]) -> None:
        self.failures = Objects({}, self._call)
        self.quarantine = Objects(quarantined, self._call)
        self.seen: Counter[str] = Counter()
        self._stream = stream
        self._now = datetime(1970, 1, 1, tzinfo=UTC)
        self._calls_left: int | None = None
        self._answer = ANSWERS[0]
        self._written = 0

    @property
    def waits(self) -> bool:
        return bool(self.failures.found or self.quarantine.found)

    def write_failure(self, records: Sequence[Sent]) -> None:
        """Write given-up records where Lambda writes them."""
        self._written += 1
        key = f"aws/lambda/mapping/{records[0].shard}/{self._written}"
        self.failures.found[key] = given_up(records)

    def failed_records(self) -> list[Any]:
        """Return the records that lie in the failure bucket."""
        bodies = [json.loads(body) for body in self.failures.found.values()]
        return [record for body in bodies for record in json.loads(body["payload"])["Records"]]

    def run(self, now: datetime, answer: str = ANSWERS[0], kill_after: int | None = None) -> None:
        """Replay all that waits; the first answer of the stream is ``answer``."""
        self._now, self._answer, self._calls_left = now, answer, kill_after
        self.seen["replays"] += 1
        try:
            self._run()
        except Crash:
            self.seen["replayer killed"] += 1
        self._answer, self._calls_left = ANSWERS[0], None

    def _run(self) -> None:
        failures = Replay(self.failures, self._sender(), Account("failures"))
        for _ in replay_failures(failures, self.failures.read(read_failed), REJUDGE, self):
            pass
        quarantine = Replay(self.quarantine, self._sender(), Account("quarantine"))
        found = self.quarantine.read(read_kept)
        for _ in replay_quarantine(quarantine, self.quarantine, found, mend):
            pass

    def _sender(self) -> Sender:
        time = Hourglass()
        waiting = Waiting(time.clock, time.sleep, lambda: 0.5)
        return Sender(self, BUCKETS, Pace(None, waiting), waiting, 0.0)

    def keep(self, bad: Sequence[BadLine]) -> None:
        """Quarantine the bad lines of a batch, as the replayer does in S3."""
        for each in bad:
            at = each.position
            key = quarantine_key(at.stream, at.shard, at.sequence, each.line)
            if not self.quarantine.was_replayed(key):
                self._call("keep", lambda each=each, key=key: self._keep(key, each))

    def _keep(self, key: str, bad: BadLine) -> None:
        self.quarantine.found.setdefault(key, bad.as_json())

    def put(self, records: Sequence[StreamRecord]) -> Sequence[PutFailure | None]:
        """Take records as Kinesis does."""
        answer, self._answer = self._answer, ANSWERS[0]
        self.seen[answer] += 1
        refused = [answer == "half refused" and number % 2 == 0 for number in range(len(records))]
        for record, is_refused in zip(records, refused, strict=True):
            if not is_refused:
                data = base64.b64encode(record.data).decode()
                self._stream.put_data(int(record.partition_key), data, self._now)
        if answer == "taken, and killed":
            raise Crash
        if answer == "taken, and the answer lost":
            raise StoreError("the answer got lost")
        return ["throttled" if is_refused else None for is_refused in refused]

    def _call(self, _what: str, apply: Callable[[], Any]) -> Any:
        if self._calls_left == 0:
            raise Crash
        if self._calls_left is not None:
            self._calls_left -= 1
        return apply()
