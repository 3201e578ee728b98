"""What a load reads: a table with a mapping, a file of events, or generated traffic.

A source numbers its rows from 1, always alike, so that a load can go on where it stopped.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from pydantic_core import PydanticCustomError

from common.domain.windows import rfc3339
from common.models import parse_instant
from eventstream.load.mapping import FileMapping, event_id
from eventstream.load.rules import RowError
from eventstream.load.table import NumberedRow, Table
from eventstream.traffic.generate import Plan, generate

_NO_SHIFT = timedelta(0)

NumberedEvent = tuple[int, dict[str, Any] | RowError]


class Source(Protocol):
    """Events to load."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        ...

    @property
    def identity(self) -> str:
        """Same text, same events: what a resumed load is recognised by."""
        ...

    def count(self) -> int:
        """Return about how many rows there are, to show how far a load has come."""
        ...

    def events(self) -> Iterator[NumberedEvent]:
        """Yield each row's number and its event, or why it has none."""
        ...


@dataclass
class MappedFile:
    """A table of rows made into events by a mapping."""

    table: Table
    mapping: FileMapping
    shift: timedelta = _NO_SHIFT

    def __post_init__(self) -> None:
        self.digest = self.table.digest()

    @property
    def name(self) -> str:
        return self.table.path.name

    @property
    def identity(self) -> str:
        text = self.mapping.model_dump_json(exclude={"event"}) + repr(self.mapping.event)
        return f"{self.digest}:{hashlib.sha256(text.encode()).hexdigest()}"

    def count(self) -> int:
        return sum(1 for _ in self.table.rows())

    def last_time(self) -> datetime | None:
        """Return the latest time of any row; ``None`` when no row has one."""
        latest = None
        for _, row in self._rows():
            try:
                at = self.mapping.timestamp.read(row) if not isinstance(row, RowError) else None
            except RowError:
                continue
            latest = at if latest is None or (at is not None and at > latest) else latest
        return latest

    def events(self) -> Iterator[NumberedEvent]:
        for number, row in self._rows():
            if isinstance(row, RowError):
                yield number, row
                continue
            try:
                event = self.mapping.to_event(row, shift=self.shift)
            except RowError as error:
                yield number, error
                continue
            yield number, {"event_id": event_id(self.digest, number, self.shift), **event}

    def _rows(self) -> Iterator[NumberedRow]:
        return self.table.rows(self.mapping.check_header if self.table.format == "csv" else None)


@dataclass
class EventFile:
    """A file of events as the API takes them, one JSON object a line."""

    table: Table
    shift: timedelta = _NO_SHIFT

    def __post_init__(self) -> None:
        self.digest = self.table.digest()

    @property
    def name(self) -> str:
        return self.table.path.name

    @property
    def identity(self) -> str:
        return self.digest

    def count(self) -> int:
        return sum(1 for _ in self.table.rows())

    def last_time(self) -> datetime | None:
        """Return the latest time of any event; ``None`` when none has one."""
        times = (_instant(row) for _, row in self.table.rows() if not isinstance(row, RowError))
        return max((at for at in times if at is not None), default=None)

    def events(self) -> Iterator[NumberedEvent]:
        for number, row in self.table.rows():
            if isinstance(row, RowError):
                yield number, row
                continue
            event = dict(row)
            if not event.get("event_id"):
                event["event_id"] = event_id(self.digest, number, self.shift)
            at = _instant(event) if self.shift else None
            if at is not None:
                event["timestamp"] = rfc3339(at + self.shift)
            yield number, event


def _instant(event: Mapping[str, Any]) -> datetime | None:
    try:
        return parse_instant(event.get("timestamp"))
    except PydanticCustomError:
        return None


@dataclass(frozen=True)
class Generated:
    """Generated traffic."""

    plan: Plan

    @property
    def name(self) -> str:
        return f"{self.plan.hours} hours of generated traffic"

    @property
    def identity(self) -> str:
        return repr(self.plan)

    def count(self) -> int:
        return self.plan.events

    def events(self) -> Iterator[NumberedEvent]:
        rng = random.Random(self.plan.seed)  # noqa: S311 - traffic, no secret
        return iter(enumerate(generate(self.plan, rng), 1))
