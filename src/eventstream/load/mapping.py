"""A mapping file: how a row of somebody's table becomes an event.

TOML, read once and checked whole, so that a misspelt key or a missing column is told before the
first event is sent.
"""

from __future__ import annotations

import tomllib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, ValidationError, model_validator

from common.domain.windows import rfc3339
from common.models import EVENT_TYPE_PATTERN
from eventstream.load.cells import Cell, ColumnCell, NumberCell, Strict, TimePart
from eventstream.load.mapping_errors import spell
from eventstream.load.rules import Condition, Row, RowError, is_empty, lookup, parse_condition
from eventstream.output import UsageProblemError

EventTypeName = Annotated[str, StringConstraints(pattern=EVENT_TYPE_PATTERN)]

_OTHER_DELIMITERS = (";", "\t", "|", ",")
_NAMESPACE = uuid.UUID("0b4f7f4e-6f0b-5c55-8d8e-3b7f2a9d1c60")


def _condition(value: object) -> object:
    return parse_condition(value) if isinstance(value, str) else value


class Rule(Strict):
    """Another type for the rows that meet a condition."""

    when: Annotated[Condition, BeforeValidator(_condition)]
    type: EventTypeName


class EventPart(Strict):
    """Where the event type comes from; the first rule that holds wins."""

    type: EventTypeName | None = None
    column: str | None = None
    rules: tuple[Rule, ...] = ()

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.type is None) == (self.column is None):
            raise ValueError("give either `type`, a constant, or `column`")
        return self

    def read(self, row: Row) -> str:
        """Return a row's event type."""
        for rule in self.rules:
            if rule.when(row):
                return rule.type
        if self.type is not None:
            return self.type
        value = lookup(row, str(self.column))
        if is_empty(value):
            raise RowError(str(self.column), "is empty, and no rule gives a type")
        return str(value)


def _property(name: str, value: object) -> object:
    """Read ``Name = "type"``, where the column has the property's own name."""
    return {"column": name, "type": value} if isinstance(value, str) else value


def _properties(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    return {name: _property(name, given) for name, given in value.items()}


class FileMapping(Strict):
    """A whole mapping file."""

    format: Literal["csv", "ndjson"] | None = None
    """Told by the file's name when not given."""
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    encoding: str = "utf-8-sig"
    event: EventPart
    timestamp: TimePart
    user_id: ColumnCell | None = None
    anonymous_id: ColumnCell | None = None
    session_id: ColumnCell | None = None
    latency_ms: NumberCell | None = None
    properties: Annotated[dict[str, Cell], BeforeValidator(_properties)] = Field(
        default_factory=dict
    )

    def columns(self) -> list[str]:
        """Name every column the mapping reads, each once, in the order of the file."""
        cells = (self.user_id, self.anonymous_id, self.session_id, self.latency_ms)
        names = [self.timestamp.column]
        names += [self.event.column] if self.event.column else []
        names += [name for rule in self.event.rules for name in rule.when.columns]
        names += [cell.column for cell in (*cells, *self.properties.values()) if cell]
        return list(dict.fromkeys(names))

    def check_header(self, header: Iterable[str]) -> None:
        """Refuse a table that lacks a column.

        Raises
        ------
        UsageProblemError
            Naming the missing columns and those there are.
        """
        there = list(header)
        missing = [name for name in self.columns() if name not in there]
        if missing:
            raise UsageProblemError(
                f"the file has no column {', '.join(missing)}; it has {', '.join(there)}"
                + _delimiter_hint(there)
            )

    def to_event(self, row: Row, *, shift: timedelta = timedelta(0)) -> dict[str, Any]:
        """Make the event of a row, still without an id.

        Raises
        ------
        RowError
            A cell doesn't fit.
        """
        event: dict[str, Any] = {
            "event_type": self.event.read(row),
            "timestamp": rfc3339(self.timestamp.read(row) + shift),
        }
        for name in ("user_id", "anonymous_id", "session_id"):
            cell: Cell | None = getattr(self, name)
            value = cell.read(row) if cell else None
            if value is not None:
                event[name] = str(value)
        latency_ms = self.latency_ms.read(row) if self.latency_ms else None
        if latency_ms is not None:
            event["latency_ms"] = latency_ms
        read = ((name, cell.read(row)) for name, cell in self.properties.items())
        properties = {name: value for name, value in read if value is not None}
        if properties:
            event["properties"] = properties
        return event


def _delimiter_hint(header: list[str]) -> str:
    """Say which separator a table that seems to have one column probably has."""
    only = header[0] if len(header) == 1 else ""
    found = next((each for each in _OTHER_DELIMITERS if each in only), None)
    if found is None:
        return ""
    shown = "\\t" if found == "\t" else found
    return f'. If {shown!r} separates its columns, write delimiter = "{shown}" in the mapping'


def event_id(digest: str, row: int, shift: timedelta = timedelta(0)) -> str:
    """Return the id of a row's event: the same file and row always give the same.

    A shifted load is a different set of events, hence other ids.

    >>> event_id("ab12", 7) == event_id("ab12", 7)
    True
    """
    hours = shift // timedelta(hours=1)
    return str(uuid.uuid5(_NAMESPACE, f"{digest}:{row}:{hours}" if hours else f"{digest}:{row}"))


def read_mapping(path: Path) -> FileMapping:
    """Read and check a mapping file.

    Raises
    ------
    UsageProblemError
        Naming the key and what is wrong with it.
    """
    try:
        return FileMapping.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UsageProblemError(f"there is no mapping file {path}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageProblemError(f"{path} is no TOML: {error}") from None
    except ValidationError as error:
        problems = "; ".join(spell(each, _keys(each["loc"])) for each in error.errors())
        raise UsageProblemError(f"{path}: {problems}") from None


def _keys(place: Sequence[str | int]) -> list[str]:
    """Name the keys of the table that a place of a mapping file is in."""
    parts: dict[tuple[str, ...], type[Strict]] = {
        (): FileMapping,
        ("event",): EventPart,
        ("event", "rules"): Rule,
        ("timestamp",): TimePart,
    }
    table = tuple(part for part in place[:-1] if isinstance(part, str))
    return list(parts.get(table, Cell).model_fields)
