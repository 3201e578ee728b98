"""What a kept line is by today's rules: an event to put again, or still bad, and why.

Two kinds of lines lie in quarantine. Lines that no stage could store are held against the rules of
the stream (:mod:`common.domain.decode`). Messages of client libraries that ingest rejected are
judged by ingest's own code, as of the time they were received.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.config import IngestConfig
from common.domain.bad_lines import Position
from common.domain.decode import decode_batch
from common.domain.enrich import Arrival, Enrichment, TimeLimits
from common.domain.partitions import bucket_of
from common.errors import FieldError, InvalidRequestError
from common.models import EnrichedEvent
from eventstream.replay.kept import Rejection, read_rejection
from eventstream.replay.messages import client_of, read_message, receipt_of
from ingest.judging import Judge, Line, Rules
from ingest.registry import Registry
from ingest.user_agents import UserAgents

ANY_AGE_HOURS = 24 * 366 * 100
"""Older than any event can be."""
TIME_LIMITS = "outside_time_limits"
"""Rule that ingest names when an event is too old, or too far ahead."""
MAX_LINE_BYTES = 1_048_000
"""What a record of one line may take: Kinesis takes 1 MiB with the partition key."""

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:eventstream:replayed-line")
_REASONS = {
    "too_many_lines": "was beyond the lines of its record that are read",
    "utf8_invalid": "is not UTF-8",
    "json_invalid": "is not JSON",
    "missing": "is missing",
}


@dataclass(frozen=True, slots=True)
class Ready:
    """An event as it goes onto the stream, flagged as replayed."""

    event_id: str
    event_type: str
    stream: str | None
    """Of its family's event flow; ``None`` for the default stream."""
    bucket: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the stream a line stood, and when it came."""

    position: Position
    line: int
    arrived_at: datetime | None

    @property
    def spare_id(self) -> str:
        """Name an event that has no id of its own: the same each time the line is replayed."""
        at = self.position
        return str(uuid.uuid5(_NAMESPACE, f"{at.stream}/{at.shard}/{at.sequence}/{self.line}"))


class Rejudge:
    """Judges lines by the settings of the deployed ingest function and the schemas here.

    Parameters
    ----------
    config
        The function's settings.
    any_age
        Take rejected messages however old their events were when they came.
    """

    def __init__(self, config: IngestConfig, *, any_age: bool = False) -> None:
        age_hours = ANY_AGE_HOURS if any_age else config.max_event_age_hours
        self._rules = Rules(
            TimeLimits(age_hours, config.max_event_future_minutes),
            config.error_types,
            config.partition_buckets,
            Registry.load(mode=config.schema_mode),
            Enrichment(UserAgents().facts, config.store_client_ip),
            config.stream_routes,
        )

    def line(self, raw: bytes, place: Place) -> Ready | FieldError:
        """Judge a line as it is."""
        rejection = read_rejection(raw)
        if rejection is not None:
            return self._message(rejection, place)
        return self._event(raw, place)

    def message(
        self, message: str, why: Mapping[str, Any] | None, place: Place
    ) -> Ready | FieldError:
        """Judge a message in place of a rejected one; with no rejection, as an event of our own."""
        given = why or {"surface": "native", "source": "public"}
        return self._message(Rejection(given, message), place)

    def _event(self, raw: bytes, place: Place) -> Ready | FieldError:
        problem = stream_problem(raw, place)
        if problem is not None:
            return problem
        event = json.loads(raw)
        # Through the text, and not through our model: what a later version added stays in it.
        event["replayed"] = True
        data = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        return self._ready(EnrichedEvent.model_validate_json(data), data)

    def _message(self, rejection: Rejection, place: Place) -> Ready | FieldError:
        try:
            sent, target = read_message(rejection)
            received_at = receipt_of(rejection, place.arrived_at)
        except InvalidRequestError as error:
            return error.errors[0]
        source = str(rejection.why.get("source") or "public")
        client = client_of(rejection)
        arrival = Arrival(received_at, received_at, source, self._rules.error_types, client)
        judged = Judge(target, arrival, self._rules, lambda _event: place.spare_id).of(0, sent)
        if not isinstance(judged, Line):
            return judged.errors[0]
        event = EnrichedEvent.model_validate_json(judged.data)
        flagged = event.model_copy(update={"replayed": True})
        return self._ready(flagged, flagged.model_dump_json(exclude_none=True).encode())

    def _ready(self, event: EnrichedEvent, data: bytes) -> Ready | FieldError:
        if len(data) > MAX_LINE_BYTES:
            # The stream would refuse the call, and with it what else is in it.
            message = f"with its flag the event takes more than {MAX_LINE_BYTES} bytes"
            return FieldError("line", "too_large", message)
        identity = event.user_id or event.anonymous_id or event.event_id
        return Ready(
            event.event_id,
            event.event_type,
            self._rules.routes.stream_of(event.event_type),
            bucket_of(identity, self._rules.buckets),
            data,
        )


def stream_problem(raw: bytes, place: Place) -> FieldError | None:
    """Say why the process function could not store a line; ``None`` when it could."""
    at = place.position
    record = {
        "eventSourceARN": f"arn:aws:kinesis:::stream/{at.stream}",
        "eventID": f"{at.shard}:{at.sequence}",
        "kinesis": {"sequenceNumber": at.sequence, "data": base64.b64encode(raw).decode()},
    }
    found = decode_batch([record])
    if not found.bad:
        return None
    bad = found.bad[0]
    field = bad.field or "line"
    said = _REASONS.get(bad.reason, f"breaks the rule {bad.reason}")
    return FieldError(field, bad.reason, f"{field} {said}")
