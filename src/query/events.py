"""``GET /events/{event_id}``: what became of one event, by the event index."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from common.domain.event_index import IndexEntry, place_of
from common.domain.packing import unpacked
from common.domain.windows import HOUR, from_ms, hour_of, rfc3339
from common.errors import EventIndexOffError, EventNotSeenError
from common.models import parse_instant
from common.ports.aggregates import HourProgress
from common.ports.event_index import EventIndexReadings
from query.params import ParamReader

if TYPE_CHECKING:
    from query.service import Deps

Json = dict[str, Any]

PATH = "/events/{event_id}"
"""The route, with the name that the event id gets on its way to :func:`event`."""
_PREFIX = PATH.partition("{")[0]

MAX_ID = 128

_INSTANTS = ("timestamp", "original_timestamp", "sent_at", "received_at", "ingested_at")


@dataclass(frozen=True, slots=True)
class StoredEvents:
    """Where events are found, and for how long they are."""

    readings: EventIndexReadings
    days: int


def event_id_in(path: str) -> str | None:
    """Return the event id that a path asks for; ``None`` when the path is another route's.

    >>> event_id_in("/events/order/42")
    'order/42'
    """
    found = path.removeprefix(_PREFIX)
    return found if found and found != path else None


def event(query: Mapping[str, str], deps: Deps) -> Json:
    """Answer what became of an event: when it came, where its batch writes it, and its hour.

    Raises
    ------
    InvalidRequestError
        Naming each parameter and the rule that it breaks.
    EventNotSeenError
        Nothing is known under this id; the message says what that can mean.
    EventIndexOffError
        Nothing is kept by its id here.
    """
    reader = ParamReader(query, ("event_id", "source"))
    event_id, source = reader.identity("event_id"), reader.identity("source")
    if event_id is not None and len(event_id) > MAX_ID:
        reader.refuse("event_id", "too_long", f"must be at most {MAX_ID} characters")
    reader.done()
    stored = deps.events
    if stored is None:
        raise EventIndexOffError(_OFF)
    found = stored.readings.find(event_id or "", source)
    if not found:
        raise EventNotSeenError(_not_seen(stored.days, source))
    told = [_told(entry, deps) for entry in found]
    has_claims = any(entry.state == "stored" for entry in found)
    return {"event_id": event_id, "events": told, "hint": _CLAIM if has_claims else None}


_CLAIM = (
    "an event is claimed before its batch is written: if the lake has no row of it, the batch is "
    "still on its way or was given up; `eventstream failures list` has those by shard and sequence"
)
_OFF = (
    "events are not kept by their ids: the event index is off (parameter EventIndex of the stack)"
)


def _not_seen(days: int, source: str | None) -> str:
    also = "" if source is None else " of this source"
    return (
        f"no event{also} with this id was processed within the last {days} days since the event "
        "index is on: it is still on its way (an accepted event is here within a minute, unless "
        "processing is behind), its batch was given up and waits to be replayed, it was sent "
        "earlier, or it was never accepted; ids are compared letter by letter"
    )


def _told(entry: IndexEntry, deps: Deps) -> Json:
    is_stored = entry.state == "stored"
    hour = None if entry.timestamp_ms is None else hour_of(from_ms(entry.timestamp_ms))
    progress = None if hour is None else _progress(hour, deps)
    return {
        "source": entry.key.source,
        "state": _state(entry, progress),
        "event_type": entry.event_type,
        "timestamp": _instant(entry.timestamp_ms),
        "received_at": _instant(entry.received_ms),
        "arrived_at": _instant(entry.arrived_ms),
        "position": _position(entry.at),
        "lake_object": entry.object_key if is_stored else None,
        "hour": None if hour is None else _hour(hour, progress),
        "quarantine": None
        if is_stored
        else {"object": entry.object_key, "reason": entry.reason, "field": entry.field},
        "replayed": {"position": _position(entry.again.at), "lake_object": entry.again.object_key}
        if entry.again
        else None,
        "event": _line(entry),
    }


def _instant(epoch_ms: int | None) -> str | None:
    return None if epoch_ms is None else rfc3339(from_ms(epoch_ms))


def _position(at: str) -> Json:
    position, line = place_of(at)
    return {
        "stream": position.stream,
        "shard": position.shard,
        "sequence": position.sequence,
        "line": line,
    }


def _progress(hour: datetime, deps: Deps) -> HourProgress | None:
    return next(iter(deps.readings.hours(hour, hour + HOUR, 1)), None)


def _state(entry: IndexEntry, progress: HourProgress | None) -> str:
    """Say what is known of an event: ``claimed`` while nothing of its hour can be written.

    An hour is marked after the lake, so that an hour without a mark has no object. A mark may be
    that of another batch: that this event's object is there, no table knows.
    """
    is_marked = progress is not None and progress.generation > 0
    return "claimed" if entry.state == "stored" and not is_marked else entry.state


def _hour(start: datetime, progress: HourProgress | None) -> Json:
    """Say which hour an event is of, and whether its results can still change."""
    is_final = progress is not None and progress.status == "final" and not progress.is_dirty
    return {
        "start": rfc3339(start),
        "end": rfc3339(start + HOUR),
        "status": "final" if is_final else "provisional",
    }


def _line(entry: IndexEntry) -> object:
    """Return the event as the stream carried it, or the message that was rejected."""
    if entry.packed is None:
        return None
    line = json.loads(unpacked(entry.packed))
    if entry.state == "stored":
        return _in_milliseconds(line) if isinstance(line, dict) else line
    try:
        return json.loads(line.get("raw") or "null")
    except (TypeError, ValueError, RecursionError):
        return line.get("raw")


def _in_milliseconds(event: Json) -> Json:
    """Spell an event's own instants as all others here; the stream has six digits of a second."""
    return event | {
        name: _shortened(event[name]) for name in _INSTANTS if isinstance(event.get(name), str)
    }


def _shortened(text: str) -> str:
    try:
        return rfc3339(parse_instant(text))
    except PydanticCustomError:
        return text  # of another producer on the stream, who may spell it otherwise
