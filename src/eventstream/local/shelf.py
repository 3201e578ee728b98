"""Where the results of one shard's deliveries are kept."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from eventstream.local.batches import Batch
from eventstream.local.checkpoints import Position
from eventstream.local.on_failure import FailureBucket, LastCall

logger = logging.getLogger(__name__)

_RETRY_S = 1.0


class ShardShelf:
    """Keeps a shard's checkpoints and discarded batches; tries until it succeeds."""

    def __init__(
        self,
        shard: str,
        save: Callable[[str, Position], None],
        failures: FailureBucket | None,
        wait: Callable[[float], bool],
    ) -> None:
        self._shard = shard
        self._save = save
        self._failures = failures
        self._wait = wait

    def checkpoint(self, sequence: str) -> None:
        self._insist(lambda: self._save(self._shard, Position(sequence=sequence)))

    def discard(self, batch: Batch, condition: str, last: LastCall | None) -> None:
        failures = self._failures
        if failures is not None:
            now = datetime.now(UTC)
            self._insist(lambda: failures.write(self._shard, batch, condition, last, now))

    def _insist(self, action: Callable[[], object]) -> None:
        while True:
            try:
                action()
            except (BotoCoreError, ClientError) as error:
                logger.warning("shard %s: %s", self._shard, error)
                if self._wait(_RETRY_S):
                    raise
            else:
                return
