"""The JSON of answers to what is read, one model each; tests hold the functions to them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from common.models import AnomalyFinding, ResultStatus
from eventstream.openapi.answers import Answer, sometimes

Utc = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""An instant as answers write it: RFC 3339 in UTC with milliseconds."""


class Point(Answer):
    """One window of a series, `[start, end)`."""

    start: Utc
    end: Utc
    value: float | None
    """Null where there was nothing to measure."""
    status: ResultStatus


class Page(Answer):
    """Base of answers that come in pages."""

    next_cursor: str | None
    """To be sent as `cursor` for the next page; null on the last one."""
    hint: str = sometimes()
    """Says why there may be nothing."""
    request_id: str


class Series(Page):
    """One metric over time."""

    event_type: str
    metric: str
    unit: Literal["events", "users", "ms"]
    granularity: str
    from_: Utc = Field(alias="from")
    to: Utc
    points: list[Point]


class EventTypeRow(Answer):
    """An event type."""

    event_type: str
    first_hour: Utc
    last_hour: Utc
    recent_events: int
    """Since `recent_since`."""
    last_schema: str | None
    """Newest schema that its events were held against, such as `purchase/2`."""
    schema_violations: int | None
    """Since `schemas_since`."""


class EventTypes(Page):
    """The event types there are, by name."""

    event_types: list[EventTypeRow]
    recent_since: Utc
    schemas_since: Utc


class SessionRow(Answer):
    """One session of one person."""

    session_id: str
    source: str
    user_id: str | None
    anonymous_id: str | None
    start: Utc
    end: Utc
    duration_ms: int
    events: int
    is_active: bool
    status: ResultStatus


class Sessions(Page):
    """A person's sessions, newest first."""

    sessions: list[SessionRow]
    dropped: int
    """Sessions of this person that were too many to be kept."""


class ActiveSessions(Page):
    """Sessions that go on now."""

    sessions: list[SessionRow]
    as_of: Utc


class LinePosition(Answer):
    """Where in the stream a line stands."""

    stream: str
    shard: str
    sequence: str
    line: int
    """Within its record, from 0."""


class CountedHour(Answer):
    """The hour that an event is of, and counts in once its batch is done."""

    start: Utc
    end: Utc
    status: ResultStatus


class Quarantined(Answer):
    """Why an event lies in quarantine, and where."""

    object: str
    reason: str | None
    field: str | None


class ReplayedLine(Answer):
    """The line by which an event was replayed."""

    position: LinePosition
    lake_object: str


class FoundEvent(Answer):
    """What became of an event of one source."""

    source: str
    state: Literal["claimed", "stored", "quarantined"]
    """`claimed`: nothing of its hour is written yet. `stored`: some is, in `lake_object` unless its
    own batch is not done, or was given up. `quarantined`: ingest rejected it."""
    event_type: str | None
    timestamp: Utc | None
    received_at: Utc | None
    arrived_at: Utc
    """When the stream took it."""
    position: LinePosition
    lake_object: str | None
    """The object that its batch writes it to; of several, the last."""
    hour: CountedHour | None
    quarantine: Quarantined | None
    replayed: ReplayedLine | None
    event: Any
    """As the stream carried it, or as it was sent where it lies in quarantine; null when it is
    too large to be kept here."""


class FoundEvents(Answer):
    """The events of one id, one per source."""

    event_id: str
    events: list[FoundEvent]
    hint: str | None
    """What is not said by an event that is not quarantined, and where to look."""
    request_id: str


class Alert(Answer):
    """The notice of an anomaly."""

    alert_id: str
    event_type: str
    window_start: Utc
    window_end: Utc
    finding: AnomalyFinding
    state: Literal["PENDING", "SENT", "RESOLVED"]
    created_at: Utc
    sent_at: Utc | None
    resolved_at: Utc | None
    """When later events of the hour showed that there is no anomaly."""


class Anomalies(Page):
    """Alerts, newest hour first."""

    from_: Utc = Field(alias="from")
    to: Utc
    anomalies: list[Alert]


class Run(Answer):
    """One run of the hourly ETL."""

    run_id: str
    status: Literal["SUCCEEDED", "FAILED"]
    started_at: Utc
    finished_at: Utc | None
    window_start: Utc | None
    window_end: Utc | None
    hours: int | None
    events: int | None
    anomalies: int | None
    error: str | None
    cause: str | None


class Runs(Page):
    """Runs of the hourly ETL, newest first."""

    runs: list[Run]


class Health(Answer):
    """Whether the tables can be read."""

    status: Literal["ok", "failing"]
    checks: dict[str, Literal["ok", "failing"]]
    """By table."""
    request_id: str
