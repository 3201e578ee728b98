"""Several streams behind one sink: each record goes to the stream that it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from common.errors import StoreError, ThrottledError
from common.ports.stream import EventSink, PutFailure, StreamRecord


class RoutedSink(EventSink):
    """Groups records by their stream and offers every group once.

    The streams are called at the same time, so that a slow one costs the others nothing of the
    sender's time limit.

    Parameters
    ----------
    default
        Takes the records that name no stream.
    flows
        Sink by stream name.
    note
        Is told why the call of one stream failed while others had their own answer.
    """

    def __init__(
        self, default: EventSink, flows: Mapping[str, EventSink], note: Callable[[str], None]
    ) -> None:
        self._sinks: dict[str | None, EventSink] = {None: default}
        for stream, sink in flows.items():
            self._sinks[stream] = sink
        self._note = note

    def put(self, records: Sequence[StreamRecord]) -> Sequence[PutFailure | None]:
        """Offer records; a stream that fails as a whole fails its own records alone.

        Raises
        ------
        ThrottledError, StoreError
            There was one stream only, and its call failed as a whole.
        KeyError
            A record names a stream that there is no sink for: a mistake in the wiring.
        """
        groups: dict[str | None, list[int]] = {}
        for position, record in enumerate(records):
            groups.setdefault(record.stream, []).append(position)
        sinks = [self._sinks[stream] for stream in groups]
        if len(sinks) <= 1:
            return sinks[0].put(records) if sinks else []
        batches = [[records[position] for position in own] for own in groups.values()]
        with ThreadPoolExecutor(max_workers=len(sinks)) as together:
            answers = list(together.map(self._offer, sinks, batches))
        results: list[PutFailure | None] = ["store_failed"] * len(records)
        for own, answer in zip(groups.values(), answers, strict=True):
            for position, result in zip(own, answer, strict=True):
                results[position] = result
        return results

    def _offer(
        self, sink: EventSink, records: Sequence[StreamRecord]
    ) -> Sequence[PutFailure | None]:
        failure: PutFailure
        try:
            return sink.put(records)
        except (ThrottledError, StoreError) as error:
            self._note(error.message)
            failure = "throttled" if isinstance(error, ThrottledError) else "store_failed"
            return [failure] * len(records)
