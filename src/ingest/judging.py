"""Hold each event of a request against every rule, and write the good ones as stream lines."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

from common.domain.enrich import (
    PLAIN,
    Arrival,
    Enricher,
    Enrichment,
    EventTime,
    TimeLimits,
    event_time,
)
from common.domain.partitions import bucket_of
from common.domain.stream_routes import StreamRoutes
from common.errors import FieldError
from common.models import IngestEvent
from ingest.receipts import EVENT_TOO_LARGE, Result
from ingest.registry import Registry
from ingest.routes import Target
from ingest.submission import Sent
from ingest.validation import usable_id, validate

MAX_EVENT_BYTES = 256 * 1024
"""An event as the stream carries it: compact JSON with what enrichment adds."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator may set."""

    limits: TimeLimits
    error_types: AbstractSet[str]
    buckets: int
    registry: Registry
    enrichment: Enrichment = PLAIN
    routes: StreamRoutes = field(default_factory=StreamRoutes)
    """Families of events that have a stream of their own."""


class Line(NamedTuple):
    """A valid event on its way to the stream."""

    position: int
    """In the request, from 0."""
    event_id: str
    stream: str | None
    bucket: int
    data: bytes


class Judge:
    """Judges the events of one request, each alone.

    Parameters
    ----------
    spare_id
        Names an event that has no id of its own.
    """

    def __init__(
        self,
        target: Target,
        arrival: Arrival,
        rules: Rules,
        spare_id: Callable[[IngestEvent], str],
    ) -> None:
        self._event_type = target.event_type
        self._received_at = arrival.received_at
        self._rules = rules
        self._enricher = Enricher(arrival, rules.enrichment)
        self._spare_id = spare_id

    def of(self, position: int, sent: Sent) -> Line | Result:
        """Return the event as a line, or why it is rejected."""
        event = validate(sent.event, self._event_type)
        if isinstance(event, tuple):
            return Result(usable_id(sent.event), errors=event)
        rules = self._rules
        verdict = rules.registry.check(event)
        if verdict.refused and verdict.violation:
            return _rejected(event, verdict.violation)
        time = self._time(event, sent)
        if isinstance(time, FieldError):
            return _rejected(event, time)
        event_id = event.event_id or self._spare_id(event)
        data = self._enricher.line(event, event_id, time, verdict.checked)
        if len(data) > MAX_EVENT_BYTES:
            message = f"an event may take at most {MAX_EVENT_BYTES} bytes (256 KB) of JSON"
            return _rejected(event, FieldError("event", EVENT_TOO_LARGE, message))
        identity = event.user_id or event.anonymous_id or event_id
        stream = rules.routes.stream_of(event.event_type)
        return Line(position, event_id, stream, bucket_of(identity, rules.buckets), data)

    def _time(self, event: IngestEvent, sent: Sent) -> EventTime | FieldError:
        clocked = event.model_copy(update={"sent_at": None}) if sent.own_clock else event
        time = event_time(clocked, self._received_at, self._rules.limits)
        if isinstance(time, FieldError) and self._event_type is not None:
            # Who posts to a type's own path (a webhook, a form) rarely knows our limits: the
            # event counts when it came, and keeps what it said as its original timestamp.
            return EventTime(self._received_at, event.timestamp, "received")
        return time


def _rejected(event: IngestEvent, *errors: FieldError) -> Result:
    return Result(event.event_id, errors=errors)
