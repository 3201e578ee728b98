"""From what a client sent to what the stream carries: the event's time, its page, its facts."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from common.domain.windows import from_ms, rfc3339, to_ms
from common.errors import FieldError
from common.models import EnrichedEvent, IngestEvent, TimestampSource

SKEW_DEAD_BAND_MS = 60_000
"""A client's clock this near to ours is believed, so that a re-sent event keeps its time."""

_CAMPAIGN = frozenset({"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"})
_IN_PROPERTIES = {"referrer": "referrer", **{name: name for name in sorted(_CAMPAIGN)}}
_IN_PAGE = {
    "url": "page_url",
    "path": "page_path",
    "title": "page_title",
    "referrer": "referrer",
}
_MAX_QUERY_FIELDS = 100


@dataclass(frozen=True, slots=True)
class EventTime:
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
class Arrival:
    """What the events of one request have in common."""

    received_at: datetime
    ingested_at: datetime
    source: str
    error_types: Set[str]
    """Event types that count as errors whatever ``is_error`` says."""


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
    return EventTime(from_ms(at_ms), event.timestamp, source)


def _out_of_limits(received_at: datetime, limits: TimeLimits, *, corrected: bool) -> FieldError:
    subject = "timestamp, corrected by sent_at," if corrected else "timestamp"
    return FieldError(
        "timestamp",
        "outside_time_limits",
        f"{subject} must be at most {limits.max_age_hours} hours before and"
        f" {limits.max_future_minutes} minutes after the time of receipt,"
        f" which was {rfc3339(received_at)}",
    )


def enrich(event: IngestEvent, event_id: str, time: EventTime, arrival: Arrival) -> EnrichedEvent:
    """Add to a client's event what only we know: its id, its time, its page and its arrival."""
    return EnrichedEvent(
        event_id=event_id,
        event_type=event.event_type,
        timestamp=time.timestamp,
        user_id=event.user_id,
        anonymous_id=event.anonymous_id,
        session_id=event.session_id,
        source=arrival.source,
        latency_ms=event.latency_ms,
        is_error=bool(event.is_error) or event.event_type in arrival.error_types,
        properties=event.properties,
        context=event.context,
        original_timestamp=time.original,
        timestamp_source=time.source,
        sent_at=event.sent_at,
        received_at=arrival.received_at,
        ingested_at=arrival.ingested_at,
        **page_parts(event.context or {}, event.properties or {}),
    )


def page_parts(context: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    """Read page, referrer and campaign from where clients commonly put them.

    Anything of another shape is passed over: what is in ``context`` and ``properties`` is the
    client's own, and no reason to refuse an event.

    Returns
    -------
    dict
        Fields of :class:`common.models.EnrichedEvent`; only those that were found.

    Examples
    --------
    >>> page_parts({"page": {"url": "https://shop.example/a?utm_source=mail"}}, {})
    {'page_url': 'https://shop.example/a?utm_source=mail', 'page_path': '/a', 'utm_source': 'mail'}
    """
    page = context.get("page")
    found = _texts(properties, _IN_PROPERTIES)
    if isinstance(page, dict):
        found |= _texts(page, _IN_PAGE)
    named = properties.get("page")
    if isinstance(named, str) and named.startswith("/"):
        found.setdefault("page_path", named)
    elif isinstance(named, str) and named.startswith(("http://", "https://")):
        found.setdefault("page_url", named)
    if url := found.get("page_url"):
        path, campaign = _url_parts(url)
        if path:
            found.setdefault("page_path", path)
        found |= campaign
    return found


def _texts(source: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Take the texts among the members of ``source`` that ``names`` has a field for."""
    return {
        field: text
        for name, field in names.items()
        if isinstance(text := source.get(name), str) and text
    }


def _url_parts(url: str) -> tuple[str, dict[str, str]]:
    try:
        parts = urlsplit(url)
        if "utm_" not in parts.query:
            return parts.path, {}
        query = parse_qsl(parts.query, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:
        return "", {}
    # Percent-decoding can bring in the control characters that the body was not allowed.
    return parts.path, {n: text for n, text in query if n in _CAMPAIGN and text.isprintable()}
