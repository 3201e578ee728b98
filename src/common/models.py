"""What a client sends, what the stream and the lake hold, what an hour adds up to.

One definition each: validation, the JSON on the stream, the Parquet schema and the Athena table
(:mod:`common.domain.lake_schema`) all come from here, and a test fails when one of them differs.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
)
from pydantic_core import PydanticCustomError

from common.domain.keys import alert_id
from common.domain.windows import from_ms, to_ms

SCHEMA_VERSION = 1
"""Version of the event's shape; only grows, and new fields are nullable."""

EVENT_TYPE_PATTERN = r"^[A-Za-z][A-Za-z0-9_.:\- ]{0,127}$"
"""A type names rows and keys; the alphabet has no ``#``, ``*`` or control character."""

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ](\d\d):\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-](\d\d):(\d\d))", re.ASCII
)
_USUAL = re.compile(r"20\d\d-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{3})?Z", re.ASCII)
"""As nearly all clients write: there is nothing to cut, to turn or to hold."""
_EARLIEST_YEAR, _LATEST_YEAR = 1970, 9998
_EARLIEST_MS = to_ms(datetime(_EARLIEST_YEAR, 1, 1, tzinfo=UTC))
_LATEST_MS = to_ms(datetime(_LATEST_YEAR + 1, 1, 1, tzinfo=UTC)) - 1
"""The years 1970..9998, for clients and for readers of the stream alike: what is older is a broken
clock, years have four digits in every key, and hours may be added without leaving the calendar."""


def in_utc(instant: datetime) -> datetime:
    """Turn an aware instant to UTC.

    Raises
    ------
    PydanticCustomError
        It is outside the years 1970..9998.
    """
    if instant.tzinfo is UTC and _EARLIEST_YEAR <= instant.year <= _LATEST_YEAR:
        return instant  # as nearly all are: there is nothing to turn
    _hold_range(to_ms(instant))
    return instant.astimezone(UTC)


def _hold_range(epoch_ms: int) -> None:
    if not _EARLIEST_MS <= epoch_ms <= _LATEST_MS:
        raise PydanticCustomError("instant_range", "must lie in the years 1970..9998")


def parse_instant(value: object) -> datetime:
    """Read an instant as clients may write it, cut to milliseconds, in UTC.

    Parameters
    ----------
    value
        RFC 3339 text with a zone (up to 9 fractional digits, cut after the third), or whole
        epoch milliseconds. An aware ``datetime`` passes.

    Raises
    ------
    PydanticCustomError
        Naming the rule: another type, a naive time, no such date, outside the years 1970..9998.
    """
    if isinstance(value, datetime) and value.tzinfo is not None:
        return in_utc(value)
    if isinstance(value, int) and not isinstance(value, bool):
        _hold_range(value)
        return from_ms(value)
    if not isinstance(value, str):
        raise PydanticCustomError(
            "instant_type", "must be RFC 3339 text with a zone, or whole epoch milliseconds"
        )
    return _parse_rfc3339(value)


def _parse_rfc3339(text: str) -> datetime:
    if _USUAL.fullmatch(text):
        return _calendar(text)
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise PydanticCustomError(
            "instant_format", "must be RFC 3339 with a zone, like 2026-02-20T14:30:00Z"
        )
    hour, offset_hours, offset_minutes = match.groups("00")
    if offset_hours > "23" or offset_minutes > "59":
        raise PydanticCustomError("instant_format", "the zone offset must be within 23:59 of UTC")
    # Newer Pythons read hour 24 as the next day's midnight: then there is no such hour.
    instant = in_utc(_calendar(text.upper() if hour != "24" else ""))
    cut = instant.microsecond % 1000
    return instant - timedelta(microseconds=cut) if cut else instant


def _calendar(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise PydanticCustomError("instant_format", "there is no such date or time") from None


def _printable(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("printable", "must hold printable characters only")
    return text


Instant = Annotated[datetime, BeforeValidator(parse_instant)]
EventType = Annotated[str, StringConstraints(pattern=EVENT_TYPE_PATTERN, max_length=128)]
EventId = Annotated[
    str, StringConstraints(min_length=1, max_length=128), AfterValidator(_printable)
]
Identity = Annotated[
    str, StringConstraints(min_length=1, max_length=256), AfterValidator(_printable)
]
LatencyMs = Annotated[FiniteFloat, Field(ge=0)]
JsonObject = dict[str, Any]
"""A JSON object whose bounds the strict decoder has already held."""


def _aliases(*names: str) -> Any:  # noqa: ANN401 - what Field itself returns
    return Field(default=None, validation_alias=AliasChoices(*names))


class IngestEvent(BaseModel):
    """One event as a client sends it; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    event_type: EventType = Field(validation_alias=AliasChoices("event_type", "type", "action"))
    event_id: EventId | None = None
    user_id: Identity | None = _aliases("user_id", "userId")
    anonymous_id: Identity | None = _aliases("anonymous_id", "anonymousId")
    session_id: Identity | None = _aliases("session_id", "sessionId")
    timestamp: Instant | None = None
    sent_at: Instant | None = _aliases("sent_at", "sentAt")
    latency_ms: LatencyMs | None = None
    is_error: bool | None = None
    properties: JsonObject | None = _aliases("properties", "metadata")
    context: JsonObject | None = None


TimestampSource = Literal["client", "skew_corrected", "clamped_future", "received"]


class EnrichedEvent(BaseModel):
    """One event as the stream carries it: a line of JSON in a record."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    event_id: str
    event_type: str
    timestamp: AwareDatetime
    user_id: str | None = None
    anonymous_id: str | None = None
    session_id: str | None = None
    source: str = "public"
    latency_ms: FiniteFloat | None = None
    is_error: bool = False
    properties: JsonObject | None = None
    context: JsonObject | None = None
    page_url: str | None = None
    page_path: str | None = None
    page_title: str | None = None
    referrer: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_term: str | None = None
    utm_content: str | None = None
    ua_family: str | None = None
    ua_os: str | None = None
    ua_device: str | None = None
    is_bot: bool | None = None
    ip: str | None = None
    original_timestamp: AwareDatetime | None = None
    timestamp_source: TimestampSource
    sent_at: AwareDatetime | None = None
    received_at: AwareDatetime
    ingested_at: AwareDatetime
    schema_version: int = SCHEMA_VERSION
    replayed: bool = False
    event_schema: str | None = None
    """Registered schema that the properties were held against: type and version, ``purchase/2``."""
    schema_violation: str | None = None
    """What of it they break: path and keyword, ``properties.total: minimum``; never a value."""


SessionSource = Literal["client", "computed"]


class LakeRow(EnrichedEvent):
    """One row of the lake: an event and where in the stream it came from.

    Its ``session_id`` is the client's, else the computed one as it was known when the row was
    written: later events may have joined that session to another one.
    """

    stream: str
    shard: str
    sequence: str
    line: int
    """Position of the event in its packed record, from 0."""
    session_source: SessionSource | None = None
    """Whose the id of the session is; ``None`` where there is none, and in rows from before."""


Metric = Literal["count", "errors", "unique_users", "latency_p95"]
Direction = Literal["up", "down"]
ResultStatus = Literal["provisional", "final"]


class AnomalyFinding(BaseModel):
    """Why one metric of one window is unlike the windows before it."""

    model_config = ConfigDict(frozen=True)

    metric: Metric
    value: float
    direction: Direction
    method: Literal["zscore"] = "zscore"
    z_score: FiniteFloat
    threshold: float
    baseline_mean: float
    baseline_sd: float
    baseline_windows: int
    expected_low: float
    expected_high: float
    explanation: str


class AggregationResult(BaseModel):
    """What the lake says of one event type in one hour ``[window_start, window_end)``."""

    model_config = ConfigDict(frozen=True)

    event_type: str
    """An event type, or ``*`` for all types together."""
    window_start: AwareDatetime
    window_end: AwareDatetime
    count: int = Field(ge=0)
    errors: int = Field(ge=0)
    unique_users: int = Field(ge=0)
    """Distinct ``user_id``, else ``anonymous_id``; events with neither count for nobody."""
    latency_count: int = Field(ge=0)
    """Events that carried a latency; the percentiles are over these."""
    schema_violations: int = Field(default=0, ge=0)
    """Events that break the schema of their type."""
    latency_p50: float | None = None
    latency_p90: float | None = None
    latency_p95: float | None = None
    latency_p99: float | None = None
    status: ResultStatus
    generation: int = Field(ge=0)
    """Generation of the hour that was read."""
    attempt: int = Field(default=0, ge=0)
    """Which aggregation of the hour this is of, counted from 1; a later one replaces it."""
    is_folded: bool = False
    """Whether the type's events are in ``_other``: its own figures are not known, and not 0."""
    anomalies: tuple[AnomalyFinding, ...] = ()
    updated_at: AwareDatetime


class AnomalyAlert(BaseModel):
    """The notice of an anomaly, published once per type, hour, metric and direction."""

    model_config = ConfigDict(frozen=True)

    alert_id: str
    event_type: str
    window_start: AwareDatetime
    window_end: AwareDatetime
    finding: AnomalyFinding
    created_at: AwareDatetime

    @classmethod
    def of(cls, result: AggregationResult, finding: AnomalyFinding, *, now: datetime) -> Self:
        """Make the alert for one finding of a result."""
        return cls(
            alert_id=alert_id(
                result.event_type, result.window_start, finding.metric, finding.direction
            ),
            event_type=result.event_type,
            window_start=result.window_start,
            window_end=result.window_end,
            finding=finding,
            created_at=now,
        )
