"""Names of everything that is stored: DynamoDB keys, object keys, sequence marks.

These are final: another shape would need a migration of every stored item.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from common.domain.windows import hour_of, iso_hour, metric_window_of

HOURS_PK = "HOURS"
TYPES_PK = "TYPES"
ALERTS_PK = "ALERTS"
RUNS_PK = "RUNS"
ALL_TYPES = "*"
"""Stands for all event types together; no event type can be spelled so."""
OTHER_TYPES = "_other"
"""Where a hot window counts the types over its cap; no event type can be spelled so."""
OPEN_INDEX = "OpenIndex"
ACTIVE_INDEX = "ActiveIndex"
ACTIVE_PARTS = 4
LAKE_PREFIX = "events/"
QUARANTINE_PREFIX = "quarantine/"


def sequence_mark(sequence: str) -> str:
    """Spell a Kinesis sequence number so that strings order as the numbers do.

    DynamoDB's numbers hold 38 digits and a sequence number has up to 56, so marks are strings:
    three digits of length, then the digits.

    Raises
    ------
    ValueError
        ``sequence`` is not a plain decimal number.

    Examples
    --------
    >>> sequence_mark("99") < sequence_mark("100")
    True
    """
    digits = sequence.lstrip("0") or "0"
    if not (sequence.isascii() and sequence.isdigit()) or len(digits) > 999:
        raise ValueError("a sequence number is a decimal number of at most 999 digits")
    return f"{len(digits):03d}{digits}"


def hot_pk(hour: datetime) -> str:
    """Return the partition key of an hour's hot windows."""
    return f"HOT#{iso_hour(hour)}"


def hot_sk(instant: datetime, stream: str, shard: str) -> str:
    """Return the sort key of the five-minute window that holds ``instant``, for one shard."""
    return f"{metric_window_of(instant).minute:02d}#{stream}#{shard}"


def hour_sk(hour: datetime) -> str:
    """Return the sort key of an hour: of its state and of each type's result in it."""
    return f"HOUR#{iso_hour(hour)}"


def type_pk(event_type: str) -> str:
    """Return the partition key of a type's hourly results."""
    return f"TYPE#{event_type}"


def alert_id(event_type: str, hour: datetime, metric: str, direction: str) -> str:
    """Return the id of the one alert that a type, hour, metric and direction can raise."""
    text = "|".join((event_type, iso_hour(hour), metric, direction))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def alert_sk(hour: datetime, identifier: str) -> str:
    """Return the sort key of an alert, so that alerts of a span of hours are one range."""
    return f"{iso_hour(hour)}#{identifier}"


def lake_prefix(hour: datetime) -> str:
    """Return the Hive partition of an hour of event time.

    >>> from datetime import UTC
    >>> lake_prefix(datetime(2026, 2, 20, 14, tzinfo=UTC))
    'events/year=2026/month=02/day=20/hour=14/'
    """
    utc = hour_of(hour)
    day = f"year={utc.year:04d}/month={utc.month:02d}/day={utc.day:02d}"
    return f"{LAKE_PREFIX}{day}/hour={utc.hour:02d}/"


def lake_key(hour: datetime, stream: str, shard: str, first: str, last: str) -> str:
    """Return the key of the lake object for records ``first..last`` (inclusive) of a shard."""
    return f"{lake_prefix(hour)}{stream}-{shard}-{first}-{last}.parquet"


def quarantine_key(stream: str, shard: str, sequence: str, line: int) -> str:
    """Return the key under which a bad line is kept, or a record of many by its first."""
    return f"{QUARANTINE_PREFIX}{stream}/{shard}/{sequence}-{line}.json"


def person_key(kind: str, name: str) -> str:
    """Return the name of a person in keys and session ids: 32 hex digits, for ids of any length.

    Parameters
    ----------
    kind
        ``user`` or ``anonymous``: one id of both kinds is two persons.
    name
        The user id or the anonymous id.
    """
    return hashlib.sha256(f"{kind}:{name}".encode()).hexdigest()[:32]


def person_pk(key: str) -> str:
    """Return the partition key of a person's sessions, by the name that they have in keys."""
    return f"PERSON#{key}"


def active_slot(instant: datetime, key: str) -> str:
    """Return the partition of the index of the active that holds a person: by last event.

    A slot is five minutes wide, so that the index is written to when a person's last event moves
    into another one and not at each event, and lies in :data:`ACTIVE_PARTS` partitions, so that
    many people can be active at once.
    """
    part = int(key[:4], 16) % ACTIVE_PARTS
    return active_part(instant, part)


def active_part(instant: datetime, part: int) -> str:
    """Name one partition of the slot that holds ``instant``; ``part`` counts from 0."""
    window = metric_window_of(instant)
    return f"{iso_hour(window)}:{window.minute:02d}#{part}"


def event_pk(event_id: str) -> str:
    """Return the partition key of an event id in the index; the sort key is the source.

    Who asks for an event knows its id and seldom the key that sent it.
    """
    return f"EVENT#{event_id}"
