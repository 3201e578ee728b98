"""Take the events of one request onto the stream, and account for each of them.

Guarantees: an event is called accepted only after the stream acknowledged it. Every event is
checked before the first is put. ``accepted + rejected + retry`` is the number that was sent.
An event called ``retry`` may be on the stream all the same: sent again under the same
``event_id`` and with a ``timestamp`` of its own, it is counted once in the hourly results. Without
a timestamp its time is that of its receipt: the copies count once if both came in one hour.
Client libraries are told of a batch as a whole; what they sent and we rejected is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf

from common.access import Access
from common.domain.enrich import Arrival, Client
from common.domain.partitions import explicit_hash_key
from common.domain.stream_routes import RoutedPack, pack_by_stream
from common.domain.windows import from_ms, to_ms
from common.errors import EventStreamError
from common.http import Request
from common.models import IngestEvent
from common.ports.stream import EventSink, PutFailure, StreamRecord
from ingest import bodies, payload, routes, sdk_receipts
from ingest.delivery import Waiting, deliver
from ingest.ids import ENTROPY_BYTES, KeyedIds, idempotency_key, time_ordered_ids
from ingest.judging import Judge, Line, Rules
from ingest.receipts import Receipt, Result, receipt
from ingest.routes import Target
from ingest.submission import Sent

_WAITING = Result(None, failure="store_failed")
"""Stands for a valid event until it is known what the stream did."""


@dataclass(frozen=True, slots=True)
class Deps:
    """The world as the service sees it."""

    sink: EventSink
    access: Access
    rules: Rules
    now: Callable[[], datetime]
    entropy: Callable[[int], bytes]
    """Returns so many random bytes."""
    waiting: Waiting
    note: Callable[[str], None]
    """Is told why a call to the stream failed; never about an event."""


def ingest(request: Request, deps: Deps, *, ends_at_s: float = inf) -> Receipt:
    """Answer one request that sends events.

    Parameters
    ----------
    request
        The request.
    deps
        The world.
    ends_at_s
        When the function is stopped, on the clock of ``deps.waiting``.

    Raises
    ------
    EventStreamError
        On our own routes: the path or the method is not served, the sender is not known, or the
        request cannot be taken apart into events or is too large.
    """
    target = routes.find(request.method, request.path)
    if target.is_native:
        return _ingest(request, target, deps, ends_at_s)
    try:
        return _ingest(request, target, deps, ends_at_s)
    except EventStreamError as error:
        return sdk_receipts.refusal(error, target.surface, request.request_id)


def _ingest(request: Request, target: Target, deps: Deps, ends_at_s: float) -> Receipt:
    key = idempotency_key(request.headers)
    submission = bodies.read(payload.read(request.body), target, request)
    arrival = Arrival(
        received_at=request.received_at,
        ingested_at=from_ms(to_ms(deps.now())),
        source=deps.access.source(request, "ingest", body_key=submission.write_key),
        error_types=deps.rules.error_types,
        client=Client(request.headers.get("user-agent"), request.source_ip),
    )
    events = submission.events
    judge = Judge(target, arrival, deps.rules, _spare_ids(key, arrival, len(events), deps))
    results: list[Result] = []
    lines: list[Line] = []
    refused: list[tuple[Sent, Result]] = []
    for position, sent in enumerate(events):
        judged = judge.of(position, sent)
        if isinstance(judged, Line):
            lines.append(judged)
            results.append(_WAITING)
        else:
            refused.append((sent, judged))
            results.append(judged)
    packs = pack_by_stream([(line.stream, line.bucket, line.data) for line in lines])
    whole = submission.whole or not target.is_native
    kept = _kept(refused, target, arrival, request.request_id, deps) if whole else ()
    outcomes = _put([*packs, *kept], deps, ends_at_s)
    for each, outcome in zip(packs, outcomes, strict=False):  # a pack takes all its lines with it
        for member in each.pack.members:
            line = lines[member]
            results[line.position] = Result(line.event_id, failure=outcome)
    lost = next((failure for failure in outcomes[len(packs) :] if failure), None)
    if target.is_native:
        single = submission.single
        made = receipt(results, request.request_id, single=single, whole=whole, lost=lost)
    else:
        made = sdk_receipts.receipt(results, lost, target.surface, request.request_id)
    return replace(made, source=arrival.source)


def _spare_ids(
    key: str | None, arrival: Arrival, count: int, deps: Deps
) -> Callable[[IngestEvent], str]:
    """Return what names the events without an id, called once for each in their order."""
    if key is not None:
        return KeyedIds(arrival.source, key).of

    def made() -> Iterator[str]:  # when the first is asked for: most batches bring their own
        entropy = deps.entropy(count * ENTROPY_BYTES)
        yield from time_ordered_ids(to_ms(arrival.received_at), entropy)

    ids = made()
    return lambda _event: next(ids)


def _kept(
    refused: Sequence[tuple[Sent, Result]],
    target: Target,
    arrival: Arrival,
    request_id: str,
    deps: Deps,
) -> Sequence[RoutedPack]:
    """Return the records that keep what was rejected of a sender that is not told which."""
    if not refused:
        return ()
    from ingest import rejected  # most requests have nothing to reject

    rules = deps.rules
    packs = rejected.packs(
        refused,
        target,
        arrival,
        request_id=request_id,
        buckets=rules.buckets,
        ip=rules.enrichment.ip,
    )
    return [RoutedPack(None, each) for each in packs]


def _put(packs: Sequence[RoutedPack], deps: Deps, ends_at_s: float) -> Sequence[PutFailure | None]:
    records = [_record(each, deps.rules.buckets) for each in packs]
    return deliver(records, deps.sink, deps.waiting, deps.note, ends_at_s=ends_at_s)


def _record(routed: RoutedPack, buckets: int) -> StreamRecord:
    bucket = routed.pack.bucket
    hash_key = explicit_hash_key(bucket, buckets)
    return StreamRecord(routed.pack.data, str(bucket), hash_key, routed.stream)
