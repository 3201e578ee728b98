"""One event source mapping: its shards, a worker for each, and its checkpoints."""

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from eventstream.local import shards as stream_shards
from eventstream.local.batches import Policy
from eventstream.local.buffer import Buffer
from eventstream.local.checkpoints import Checkpoints, Position, table_name
from eventstream.local.delivery import Delivery
from eventstream.local.invoker import FunctionInvoker
from eventstream.local.mappings import StreamMapping
from eventstream.local.on_failure import FailureBucket
from eventstream.local.records import Source
from eventstream.local.session import LocalSession
from eventstream.local.shard_worker import ShardWorker
from eventstream.local.shelf import ShardShelf

logger = logging.getLogger(__name__)

DISCOVERY_S = 3.0


def idle_s(window_s: float) -> float:
    """Return the pause between reads that bring nothing: Lambda reads once a second.

    With a short batching window the pause is shorter, so that the window is what one waits for.
    """
    return min(1.0, max(0.2, window_s / 5))


@dataclass(frozen=True)
class Clients:
    """The AWS clients of a poller; they are safe to share between threads."""

    kinesis: Any
    functions: Any
    dynamodb: Any
    s3: Any

    @classmethod
    def of(cls, session: LocalSession, function_timeout_s: float) -> "Clients":
        """Build the clients; a call of the function may take as long as its timeout."""
        patient = Config(
            read_timeout=function_timeout_s + 30,
            retries={"total_max_attempts": 1},
            max_pool_connections=50,
        )
        return cls(
            kinesis=session.client("kinesis", config=Config(max_pool_connections=50)),
            functions=session.client("lambda", config=patient),
            dynamodb=session.client("dynamodb"),
            s3=session.client("s3"),
        )


class MappingPoller:
    """Runs one event source mapping.

    Parameters
    ----------
    session
        Session for the emulator.
    stack_name
        The stack, whose table holds the checkpoints.
    mapping
        The mapping.
    """

    def __init__(self, session: LocalSession, stack_name: str, mapping: StreamMapping) -> None:
        function = session.client("lambda").get_function_configuration(
            FunctionName=mapping.function
        )
        self.mapping = mapping
        self._clients = Clients.of(session, float(function["Timeout"]))
        self._function = function
        self._region = session.region_name
        self._checkpoints = Checkpoints(
            self._clients.dynamodb, table_name(stack_name), mapping.uuid
        )
        self._policy = self._policy_of(mapping)
        self._stop = threading.Event()
        self._workers: dict[str, tuple[ShardWorker, threading.Thread]] = {}
        self._finished: set[str] = set()
        self._positions: dict[str, Position] = {}
        self._waiting: dict[str, float] = {}
        self._look_again = threading.Event()
        self._manager = threading.Thread(
            target=self._manage, name=f"poll-{mapping.logical_id}", daemon=True
        )

    def start(self) -> None:
        """Begin to read: when this returns, every shard has its place."""
        self._checkpoints.prepare()
        positions = self._checkpoints.load()
        if positions is None:
            found = stream_shards.list_shards(self._clients.kinesis, self.mapping.stream_arn)
            positions = {shard.id: self._first_position() for shard in found}
            self._checkpoints.begin(positions)
        self._positions = positions
        self._finished = {shard for shard, at in positions.items() if at.finished}
        self._discover()
        self._manager.start()

    def stop(self) -> None:
        """Stop: batches that are with the function are finished and checkpointed first."""
        self._stop.set()
        self._look_again.set()
        self._manager.join()
        for _, thread in self._workers.values():
            thread.join()

    def lag_s(self) -> float | None:
        """Return the age of the oldest record of any shard that isn't done; 0 when all are.

        ``None`` while that isn't known of every shard.
        """
        now_s = time.time()
        lags = [worker.lag_s(now_s) for worker, _ in self._workers.values()]
        # Of a shard that waits for its parents nobody knows what is in it.
        unknown = [now_s - since_s for since_s in self._waiting.values()]
        known = [lag for lag in (*lags, *unknown) if lag is not None]
        return max(known, default=0.0) if len(known) == len(lags) + len(unknown) else None

    def caught_up_since(self, moment_s: float) -> bool:
        """Say whether every shard was seen with everything done, at or after a moment."""
        return not self._waiting and all(
            (worker.progress.caught_up_s or 0) >= moment_s for worker, _ in self._workers.values()
        )

    def _first_position(self) -> Position:
        if self.mapping.starting_position == "LATEST":
            # Kept as a time: a restart before the first batch must not skip what came meanwhile.
            return Position(from_s=time.time())
        if self.mapping.starting_position == "AT_TIMESTAMP":
            return Position(from_s=self.mapping.starting_at_s)
        return Position()

    def _policy_of(self, mapping: StreamMapping) -> Policy:
        summary = self._clients.kinesis.describe_stream_summary(StreamARN=mapping.stream_arn)
        retention_h = summary["StreamDescriptionSummary"]["RetentionPeriodHours"]
        return Policy(
            retries=mapping.retries,
            max_age_s=mapping.max_age_s,
            retention_s=retention_h * 3600,
            bisect=mapping.bisect,
            partial=mapping.partial,
        )

    def _manage(self) -> None:
        """Look for new shards, now and then and whenever one has ended."""
        while not self._stop.is_set():
            self._look_again.wait(DISCOVERY_S)
            self._look_again.clear()
            try:
                self._discover()
            except (BotoCoreError, ClientError) as error:
                logger.warning("%s: %s", self.mapping.logical_id, error)

    def _discover(self) -> None:
        """Start a worker for every shard whose turn it is and that has none."""
        if self._stop.is_set():
            return
        listed = stream_shards.list_shards(self._clients.kinesis, self.mapping.stream_arn)
        now_s = time.time()
        caught_up = {
            name
            for name, (worker, _) in self._workers.items()
            if worker.progress.caught_up_s is not None and worker.lag_s(now_s) == 0
        }
        alive = {
            name: each
            for name, each in self._workers.items()
            if each[1].is_alive() and not each[0].let_go
        }
        for shard in stream_shards.readable(listed, self._finished, caught_up, alive):
            if shard.id not in alive:
                alive[shard.id] = self._start_worker(shard.id)
        self._workers = alive
        waiting = {shard.id for shard in listed} - self._finished - set(alive)
        self._waiting = {name: self._waiting.get(name, now_s) for name in waiting}

    def _start_worker(self, shard_id: str) -> tuple[ShardWorker, threading.Thread]:
        worker = self._worker(shard_id, self._positions.get(shard_id, Position()))

        def run() -> None:
            worker.run()
            if worker.let_go:
                self._look_again.set()

        # A daemon: a second Ctrl-C ends the process without waiting for a hanging function.
        thread = threading.Thread(target=run, name=f"shard-{shard_id}", daemon=True)
        thread.start()
        return worker, thread

    def _worker(self, shard_id: str, position: Position) -> ShardWorker:
        mapping, clients = self.mapping, self._clients
        source = Source(mapping.stream_arn, shard_id, self._function["Role"], self._region)
        delivery = Delivery(
            invoke=FunctionInvoker(clients.functions, mapping.function),
            shelf=ShardShelf(shard_id, self._save, self._failures(), self._stop.wait),
            policy=self._policy,
            now_s=time.time,
            wait=self._stop.wait,
        )
        return ShardWorker(
            shard_id,
            reader=stream_shards.ShardReader(clients.kinesis, source, position),
            buffer=Buffer(mapping.batch_size, mapping.window_s),
            delivery=delivery,
            finish=lambda: self._save(shard_id, Position(finished=True)),
            stop=self._stop,
            idle_s=idle_s(mapping.window_s),
            now_s=time.time,
        )

    def _failures(self) -> FailureBucket | None:
        if self.mapping.failure_bucket is None:
            return None
        return FailureBucket(
            self._clients.s3,
            self.mapping.failure_bucket,
            self.mapping.uuid,
            self._function["FunctionArn"],
            self.mapping.stream_arn,
        )

    def _save(self, shard_id: str, position: Position) -> None:
        self._checkpoints.save(shard_id, position)
        self._positions[shard_id] = position
        if position.finished:
            self._finished.add(shard_id)
            self._look_again.set()
