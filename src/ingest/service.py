"""Take the events of one request onto the stream, and account for each of them.

Guarantees: an event is called accepted only after the stream acknowledged it. Every event is
checked before the first is put. ``accepted + rejected + retry`` is the number that was sent.
An event called ``retry`` may be on the stream all the same: sent again under the same
``event_id`` and with a ``timestamp`` of its own, it is counted once in the hourly results. Without
a timestamp its time is that of its receipt: the copies count once if both came in one hour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from common.domain.enrich import Arrival, TimeLimits, enrich, event_time
from common.domain.partitions import Pack, bucket_of, explicit_hash_key, pack
from common.domain.windows import from_ms, to_ms
from common.errors import FieldError
from common.http import Request
from common.models import IngestEvent
from common.ports.stream import EventSink, PutFailure, StreamRecord
from ingest import bodies, routes
from ingest.delivery import Waiting, deliver
from ingest.ids import ENTROPY_BYTES, KeyedIds, idempotency_key, time_ordered_ids
from ingest.receipts import EVENT_TOO_LARGE, Receipt, Result, receipt
from ingest.validation import usable_id, validate

MAX_EVENT_BYTES = 256 * 1024
"""An event as the stream carries it: compact JSON with what enrichment adds."""
PUBLIC_SOURCE = "public"
"""Source of events that came without a key of their own."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator may set."""

    limits: TimeLimits
    error_types: AbstractSet[str]
    buckets: int


@dataclass(frozen=True, slots=True)
class Deps:
    """The world as the service sees it."""

    sink: EventSink
    rules: Rules
    now: Callable[[], datetime]
    entropy: Callable[[int], bytes]
    """Returns so many random bytes."""
    waiting: Waiting
    note: Callable[[str], None]
    """Is told why a call to the stream failed; never about an event."""


@dataclass(frozen=True, slots=True)
class _Line:
    index: int
    event_id: str
    bucket: int
    data: bytes


def ingest(request: Request, deps: Deps) -> Receipt:
    """Answer one request under ``/events``.

    Raises
    ------
    NotFoundError, MethodNotAllowedError
        The path or the method is not served.
    InvalidRequestError
        The request cannot be taken apart into events, or is too large.
    """
    target = routes.find(request.method, request.path)
    key = idempotency_key(request.headers)
    submission = bodies.read(request.body, target)
    arrival = Arrival(
        received_at=request.received_at,
        ingested_at=from_ms(to_ms(deps.now())),
        source=PUBLIC_SOURCE,
        error_types=deps.rules.error_types,
    )
    spare_id = _spare_ids(key, arrival, len(submission.events), deps)
    results: list[Result] = []
    lines: list[_Line] = []
    for index, raw in enumerate(submission.events):
        made = _line(
            index, raw, target.event_type, spare_id=spare_id, arrival=arrival, rules=deps.rules
        )
        if isinstance(made, _Line):
            lines.append(made)
            made = Result(made.event_id, failure="store_failed")
        results.append(made)
    for line, failure in zip(lines, _put(lines, deps), strict=True):
        results[line.index] = Result(line.event_id, failure=failure)
    return receipt(results, request.request_id, single=submission.single)


def _spare_ids(
    key: str | None, arrival: Arrival, count: int, deps: Deps
) -> Callable[[IngestEvent], str]:
    """Return what names the events without an id, called once for each in their order."""
    if key is not None:
        return KeyedIds(arrival.source, key).of
    entropy = deps.entropy(count * ENTROPY_BYTES)
    ids = iter(time_ordered_ids(to_ms(arrival.received_at), entropy))
    return lambda _event: next(ids)


def _line(
    index: int,
    raw: object,
    event_type: str | None,
    *,
    spare_id: Callable[[IngestEvent], str],
    arrival: Arrival,
    rules: Rules,
) -> _Line | Result:
    event = validate(raw, event_type)
    if not isinstance(event, IngestEvent):
        return Result(usable_id(raw), errors=event)
    time = event_time(event, arrival.received_at, rules.limits)
    if isinstance(time, FieldError):
        return Result(event.event_id, errors=[time])
    event_id = event.event_id or spare_id(event)
    data = enrich(event, event_id, time, arrival).model_dump_json(exclude_none=True).encode()
    if len(data) > MAX_EVENT_BYTES:
        message = f"an event may take at most {MAX_EVENT_BYTES} bytes (256 KB) of JSON"
        return Result(event.event_id, errors=[FieldError("event", EVENT_TOO_LARGE, message)])
    identity = event.user_id or event.anonymous_id or event_id
    return _Line(index, event_id, bucket_of(identity, rules.buckets), data)


def _put(lines: Sequence[_Line], deps: Deps) -> Sequence[PutFailure | None]:
    """Send lines to the stream; a record that fails takes all its lines with it."""
    packs = pack((line.bucket, line.data) for line in lines)
    records = [_record(each, deps.rules.buckets) for each in packs]
    outcomes: list[PutFailure | None] = ["store_failed"] * len(lines)
    delivered = deliver(records, deps.sink, deps.waiting, deps.note)
    for each, outcome in zip(packs, delivered, strict=True):
        for member in each.members:
            outcomes[member] = outcome
    return outcomes


def _record(each: Pack, buckets: int) -> StreamRecord:
    return StreamRecord(each.data, str(each.bucket), explicit_hash_key(each.bucket, buckets))
