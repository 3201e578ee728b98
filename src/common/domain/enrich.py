"""From what a client sent to what the stream carries: the event's time, its page, its sender."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from pydantic_core import to_json

from common.domain.client_ip import IpPolicy, cut_context, stored_ip, told_ip
from common.domain.pages import PAGE_TYPES, page_parts
from common.domain.windows import from_ms, rfc3339, to_ms
from common.errors import FieldError
from common.models import SCHEMA_VERSION, EnrichedEvent, IngestEvent, TimestampSource

SKEW_DEAD_BAND_MS = 60_000
"""A client's clock this near to ours is believed, so that a re-sent event keeps its time."""


class EventTime(NamedTuple):
    """When an event happened, and how we know."""

    timestamp: datetime
    original: datetime | None
    """What the client said; ``None`` when it said nothing."""
    source: TimestampSource


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How far an event's time may be from its receipt; both ends are allowed."""

    max_age_hours: int
    max_future_minutes: int

    def hold(self, age_ms: int) -> bool:
        """Tell whether an event of this age may come; a negative age lies in the future."""
        return -60_000 * self.max_future_minutes <= age_ms <= 3_600_000 * self.max_age_hours


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
    if event.timestamp is None:
        return EventTime(received_at, None, "received")
    received_ms, at_ms = to_ms(received_at), to_ms(event.timestamp)
    source: TimestampSource = "client"
    # In whole milliseconds, because a client's nonsense can leave what a datetime can hold.
    skew_ms = received_ms - to_ms(event.sent_at) if event.sent_at else 0
    if abs(skew_ms) > SKEW_DEAD_BAND_MS:
        at_ms, source = at_ms + skew_ms, "skew_corrected"
        if at_ms > received_ms:
            at_ms, source = received_ms, "clamped_future"
    if not limits.hold(received_ms - at_ms):
        return _out_of_limits(received_at, limits, corrected=source != "client")
    at = event.timestamp if source == "client" else from_ms(at_ms)
    return EventTime(at, event.timestamp, source)


def _out_of_limits(received_at: datetime, limits: TimeLimits, *, corrected: bool) -> FieldError:
    subject = "timestamp, corrected by sent_at," if corrected else "timestamp"
    return FieldError(
        "timestamp",
        "outside_time_limits",
        f"{subject} must be at most {limits.max_age_hours} hours before and"
        f" {limits.max_future_minutes} minutes after the time of receipt,"
        f" which was {rfc3339(received_at)}",
    )


def enrich(
    event: IngestEvent,
    event_id: str,
    time: EventTime,
    arrival: Arrival,
    *,
    enrichment: Enrichment = PLAIN,
    checked: Checked = UNCHECKED,
) -> EnrichedEvent:
    """Add to a client's event what only we know: its id, its time, its page and its sender.

    Nothing that a client sends can make it fail: a part that cannot be found out is left out.
    """
    return EnrichedEvent(
        **_fields(event, event_id, time, arrival, enrichment=enrichment, checked=checked)
    )


def enriched_line(
    event: IngestEvent,
    event_id: str,
    time: EventTime,
    arrival: Arrival,
    *,
    enrichment: Enrichment = PLAIN,
    checked: Checked = UNCHECKED,
) -> bytes:
    """Return :func:`enrich`'s event as the stream carries it: compact JSON.

    Every field was checked as the event came in, so that to make the model only to write it out
    again would double the cost of an event. A test holds both to one result.
    """
    return to_json(_fields(event, event_id, time, arrival, enrichment=enrichment, checked=checked))


def _fields(
    event: IngestEvent,
    event_id: str,
    time: EventTime,
    arrival: Arrival,
    *,
    enrichment: Enrichment,
    checked: Checked,
) -> dict[str, Any]:
    """Return the fields of the enriched event that have a value."""
    context, properties = event.context or {}, event.properties or {}
    fields: dict[str, Any] = {
        "event_id": event_id,
        "event_type": event.event_type,
        "timestamp": time.timestamp,
        "timestamp_source": time.source,
        "source": arrival.source,
        "is_error": bool(event.is_error) or event.event_type in arrival.error_types,
        "received_at": arrival.received_at,
        "ingested_at": arrival.ingested_at,
        "schema_version": SCHEMA_VERSION,
    }
    kept, ip = _address(event.context, arrival.client.ip, enrichment)
    optional = {
        "user_id": event.user_id,
        "anonymous_id": event.anonymous_id,
        "session_id": event.session_id,
        "latency_ms": event.latency_ms,
        "properties": event.properties,
        "context": kept,
        "ip": ip,
        "original_timestamp": time.original,
        "sent_at": event.sent_at,
        "event_schema": checked.schema,
        "schema_violation": checked.violation,
    }
    fields |= {name: value for name, value in optional.items() if value is not None}
    try:
        fields |= page_parts(context, properties, is_page=event.event_type in PAGE_TYPES)
    except Exception:
        enrichment.failed("page")
    try:
        fields |= client_parts(context, arrival.client, enrichment.facts)
    except Exception:
        enrichment.failed("client")
    return fields


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


def _address(
    context: dict[str, Any] | None, ip: str | None, enrichment: Enrichment
) -> tuple[dict[str, Any] | None, str | None]:
    """Return the context and the address as they may be stored; when in doubt, without both."""
    try:
        own = stored_ip(ip, enrichment.ip) if ip else None
        if not context:
            return context, own
        return cut_context(context, enrichment.ip), told_ip(context, enrichment.ip) or own
    except Exception:
        enrichment.failed("ip")
        return None, None
