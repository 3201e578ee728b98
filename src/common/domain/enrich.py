"""From what a client sent to what the stream carries: the event's time, its page, its sender."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from common.domain.client_ip import IpPolicy, cut_context, stored_ip, told_ip
from common.domain.pages import PAGE_TYPES, page_parts
from common.domain.windows import rfc3339
from common.errors import FieldError
from common.models import SCHEMA_VERSION, EnrichedEvent, IngestEvent, TimestampSource

_NO_SKEW = timedelta(0)
_TOLD = tuple(IngestEvent.model_fields)
_NOTHING: dict[str, Any] = {}
_encode = msgspec.json.Encoder().encode
SKEW_DEAD_BAND = timedelta(seconds=60)
"""A client's clock this near to ours is believed, so that a re-sent event keeps its time."""


class EventTime(NamedTuple):
    """When an event happened, and how we know."""

    timestamp: datetime
    original: datetime | None
    """What the client said; ``None`` when it said nothing."""
    source: TimestampSource


@dataclass(frozen=True)
class TimeLimits:
    """How far an event's time may be from its receipt; both ends are allowed."""

    max_age_hours: int
    max_future_minutes: int

    @cached_property
    def oldest(self) -> timedelta:
        """Age of the oldest event that may come."""
        return timedelta(hours=self.max_age_hours)

    @cached_property
    def newest(self) -> timedelta:
        """Age of the newest event that may come; it is negative, as its time lies ahead."""
        return -timedelta(minutes=self.max_future_minutes)


@dataclass(frozen=True, slots=True)
class Client:
    """What the request itself tells of its sender."""

    user_agent: str | None = None
    ip: str | None = None
    """Whole, as the gateway saw it; :class:`Enrichment` says how much of it is kept."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the events of one request have in common."""

    received_at: datetime
    ingested_at: datetime
    source: str
    error_types: Set[str]
    """Event types that count as errors whatever ``is_error`` says."""
    client: Client = field(default_factory=Client)


def _no_facts(_user_agent: str) -> Mapping[str, Any]:
    return {}


def _untold(_part: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Enrichment:
    """How events are enriched."""

    facts: Callable[[str], Mapping[str, Any]] = _no_facts
    """Reads a user agent: ``ua_family``, ``ua_os``, ``ua_device`` and ``is_bot``."""
    ip: IpPolicy = "off"
    failed: Callable[[str], None] = _untold
    """Is told the part of an event that could not be found out: ``page``, ``client``, ``ip``."""


PLAIN = Enrichment()
"""Without user agents, and without any address."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the registry of event types said of an event; see the fields of the same meaning."""

    schema: str | None = None
    violation: str | None = None


UNCHECKED = Checked()


def event_time(
    event: IngestEvent, received_at: datetime, limits: TimeLimits
) -> EventTime | FieldError:
    """Decide when an event happened.

    Without a ``timestamp`` it is the time of receipt. With ``sent_at``, the client's clock is
    compared with ours: when they differ by more than a minute, the difference is added to the
    timestamp, which then never lies after the receipt.

    Returns
    -------
    EventTime or FieldError
        The error when the time, corrected or not, is outside ``limits``.
    """
    told = event.timestamp
    if told is None:
        return EventTime(received_at, None, "received")
    age = received_at - told
    source: TimestampSource = "client"
    skew = received_at - event.sent_at if event.sent_at else _NO_SKEW
    if abs(skew) > SKEW_DEAD_BAND:
        # The age, and not the time: that can leave what a datetime can hold.
        age, source = age - skew, "skew_corrected"
        if age < _NO_SKEW:
            age, source = _NO_SKEW, "clamped_future"
    if not limits.newest <= age <= limits.oldest:
        return _out_of_limits(received_at, limits, corrected=source != "client")
    return EventTime(told if source == "client" else received_at - age, told, source)


def _out_of_limits(received_at: datetime, limits: TimeLimits, *, corrected: bool) -> FieldError:
    subject = "timestamp, corrected by sent_at," if corrected else "timestamp"
    return FieldError(
        "timestamp",
        "outside_time_limits",
        f"{subject} must be at most {limits.max_age_hours} hours before and"
        f" {limits.max_future_minutes} minutes after the time of receipt,"
        f" which was {rfc3339(received_at)}",
    )


class Enricher:
    """Adds to the events of one request what only we know: id, time, page and sender.

    Nothing that a client sends can make it fail: a part that cannot be found out is left out.

    Parameters
    ----------
    arrival
        What the events have in common.
    enrichment
        How they are enriched.
    """

    def __init__(self, arrival: Arrival, enrichment: Enrichment = PLAIN) -> None:
        self._arrival = arrival
        self._enrichment = enrichment
        self._arrived = {
            "source": arrival.source,
            "received_at": arrival.received_at,
            "ingested_at": arrival.ingested_at,
            "schema_version": SCHEMA_VERSION,
        }
        self._tail = _tail(self._arrived)

    def event(
        self, event: IngestEvent, event_id: str, time: EventTime, checked: Checked = UNCHECKED
    ) -> EnrichedEvent:
        """Return the event as everybody after ingest knows it."""
        fields = self._own(event, event_id, time, checked) | self._arrived
        return EnrichedEvent.model_validate(fields if event.context else fields | self._sender)

    def line(
        self, event: IngestEvent, event_id: str, time: EventTime, checked: Checked = UNCHECKED
    ) -> bytes:
        """Return :meth:`event` as the stream carries it: compact JSON.

        Every field was checked as the event came in, so that to make the model only to write it
        out again would double the cost of an event; and what the events of a request share is
        spelled once. A test holds both to one result.
        """
        own = _encode(self._own(event, event_id, time, checked))
        return own[:-1] + (self._tail if event.context else self._tail_with_sender)

    @cached_property
    def _sender(self) -> dict[str, Any]:
        """Agent and address of the request, for events whose context cannot name others."""
        _, ip = self._addresses(None)
        return {**self._client({}), **({"ip": ip} if ip else {})}

    @cached_property
    def _tail_with_sender(self) -> bytes:
        return _tail(self._arrived | self._sender)

    def _own(
        self, event: IngestEvent, event_id: str, time: EventTime, checked: Checked
    ) -> dict[str, Any]:
        """Return the fields of an event, without what all of them share."""
        fields = {name: value for name in _TOLD if (value := getattr(event, name)) is not None}
        fields["event_id"] = event_id
        fields["timestamp"], fields["timestamp_source"] = time.timestamp, time.source
        fields["is_error"] = bool(event.is_error) or event.event_type in self._arrival.error_types
        if time.original is not None:
            fields["original_timestamp"] = time.original
        if checked.schema is not None:
            fields |= {"event_schema": checked.schema, "schema_violation": checked.violation}
        context, is_page = event.context or _NOTHING, event.event_type in PAGE_TYPES
        try:
            fields |= page_parts(context, event.properties or _NOTHING, is_page=is_page)
        except Exception:
            self._enrichment.failed("page")
        if context:
            fields |= self._client(context)
            fields["context"], fields["ip"] = self._addresses(context)
        return fields

    def _client(self, context: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return client_parts(context, self._arrival.client, self._enrichment.facts)
        except Exception:
            self._enrichment.failed("client")
            return {}

    def _addresses(
        self, context: dict[str, Any] | None
    ) -> tuple[dict[str, Any] | None, str | None]:
        """Return context and address as they may be stored; when in doubt, without both."""
        ip, policy = self._arrival.client.ip, self._enrichment.ip
        try:
            own = stored_ip(ip, policy) if ip else None
            if not context:
                return context, own
            return cut_context(context, policy), told_ip(context, policy) or own
        except Exception:
            self._enrichment.failed("ip")
            return None, None


def _tail(fields: Mapping[str, Any]) -> bytes:
    """Spell fields as the rest of an object that has others before them."""
    return b"," + _encode(fields)[1:]


def client_parts(
    context: Mapping[str, Any], client: Client, facts: Callable[[str], Mapping[str, Any]]
) -> Mapping[str, Any]:
    """Read the user agent that an event names in its context, else the request's own.

    A server that sends its users' events has an agent of its own, which is nobody's browser.
    """
    for name in ("userAgent", "user_agent"):
        if isinstance(told := context.get(name), str) and told:
            return facts(told)
    return facts(client.user_agent) if client.user_agent else {}
