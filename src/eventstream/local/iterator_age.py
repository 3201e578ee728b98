"""The iterator age, published as Lambda and Kinesis publish it.

The aggregate function reads it to know that nothing of an hour is still in flight; alarms read it,
too. Both metrics carry the same figure: the age of the oldest record that isn't done yet, read or
unread, and 0 when everything is done.
"""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from eventstream.local.mapping_poller import MappingPoller

logger = logging.getLogger(__name__)

BUSY_S = 1.0
IDLE_S = 5.0
UNKNOWN_MS = 1
"""Stands for an age that isn't known yet: not published, but asked for again soon."""

SHARE_OF_TIME = 0.05
"""Most of the time that publishing may take: a request costs the emulator more, the more data
points it holds, because it looks through all of them each time."""


class IteratorAge:
    """Publishes the iterator age of mappings until it is stopped."""

    def __init__(self, cloudwatch: Any, pollers: Sequence[MappingPoller]) -> None:  # noqa: ANN401
        self._cloudwatch = cloudwatch
        self._pollers = pollers
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="iterator-age", daemon=True)

    def start(self) -> None:
        """Begin to publish."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, after the last figures are published."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        pause_s = 0.0
        while not self._stop.wait(pause_s):
            started_s = time.monotonic()
            try:
                ages_ms = [self._publish(poller) for poller in self._pollers]
            except (BotoCoreError, ClientError) as error:
                logger.warning("iterator age: %s", error)
                ages_ms = []
            took_s = time.monotonic() - started_s
            pause_s = max(BUSY_S if any(ages_ms) else IDLE_S, took_s / SHARE_OF_TIME)

    def _publish(self, poller: MappingPoller) -> int:
        lag_s = poller.lag_s()
        if lag_s is None:
            return UNKNOWN_MS
        age_ms = round(lag_s * 1000)
        mapping = poller.mapping
        function, stream = mapping.function, mapping.stream_name
        self._put("AWS/Lambda", "IteratorAge", ("FunctionName", function), age_ms)
        name = "GetRecords.IteratorAgeMilliseconds"
        self._put("AWS/Kinesis", name, ("StreamName", stream), age_ms)
        return age_ms

    def _put(self, namespace: str, metric: str, dimension: tuple[str, str], age_ms: int) -> None:
        name, value = dimension
        self._cloudwatch.put_metric_data(
            Namespace=namespace,
            MetricData=[
                {
                    "MetricName": metric,
                    "Dimensions": [{"Name": name, "Value": value}],
                    "Value": age_ms,
                    "Unit": "Milliseconds",
                }
            ],
        )
