"""Cells of a row: a column, its type, its time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PrivateAttr

from common.domain.windows import from_ms
from eventstream.load.rules import Row, RowError, as_number, is_empty, lookup

CellType = Literal["string", "integer", "number", "boolean", "any"]

_TRUE, _FALSE = frozenset({"true", "yes", "1", "t", "y"}), frozenset({"false", "no", "0", "f", "n"})


class Strict(BaseModel):
    """Base of what a mapping file holds: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Cell(Strict):
    """A column and how to read it."""

    column: str
    type: CellType = "string"
    strip_suffix: str = ""
    """Cut from the end of the text, such as the ``.0`` that spreadsheets leave on numbers."""

    def read(self, row: Row) -> Any:  # noqa: ANN401 - a JSON value
        """Return the value, ``None`` when the cell is empty.

        Raises
        ------
        RowError
            The cell doesn't hold its type.
        """
        value = lookup(row, self.column)
        if is_empty(value):
            return None
        if self.strip_suffix and isinstance(value, str):
            value = value.removesuffix(self.strip_suffix)
        return _READERS[self.type](self.column, value)


def _read_string(_column: str, value: object) -> str | None:
    return str(value) or None


def _read_integer(column: str, value: object) -> int:
    number = as_number(column, value)
    if number != number.to_integral_value() or abs(number) >= 2**63:
        raise RowError(column, "must be a whole number of at most 64 bits")
    return int(number)


def _read_number(column: str, value: object) -> float:
    number = float(as_number(column, value))
    if not math.isfinite(number):
        raise RowError(column, "must be a number")
    return number


def _read_boolean(column: str, value: object) -> bool:
    text = str(value).strip().lower()
    if text not in _TRUE | _FALSE:
        raise RowError(column, "must be true or false")
    return text in _TRUE


_READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "string": _read_string,
    "integer": _read_integer,
    "number": _read_number,
    "boolean": _read_boolean,
    "any": lambda _column, value: value,
}


def _cell(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


ColumnCell = Annotated[Cell, BeforeValidator(_cell)]
"""A cell, or just the column's name for text."""


def _number_cell(value: object) -> object:
    if isinstance(value, str):
        return {"column": value, "type": "number"}
    # A table of its own, `[latency_ms]`, is a number too unless it says otherwise.
    return {"type": "number", **value} if isinstance(value, Mapping) else value


def _is_number(cell: Cell) -> Cell:
    if cell.type not in ("number", "integer"):
        raise ValueError("type must be `number` or `integer` here; leave it out for `number`")
    return cell


NumberCell = Annotated[Cell, BeforeValidator(_number_cell), AfterValidator(_is_number)]
"""A cell, or just the column's name, for a number."""


def _zone(name: str) -> str:
    _load_zone(name)
    return name


def _load_zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"no time zone {name!r}; write a name such as Europe/London") from None


class TimePart(Strict):
    """Where the event time comes from."""

    column: str
    format: str = "iso8601"
    """``iso8601``, ``epoch_s``, ``epoch_ms``, or a strptime pattern."""
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    """Zone of times that don't say theirs."""
    _parse: Callable[[str], datetime] = PrivateAttr()

    def model_post_init(self, _context: object) -> None:
        # Tables have many rows with the same time, and parsing it is a third of the work.
        self._parse = lru_cache(maxsize=4096)(self._parse_text)

    def read(self, row: Row) -> datetime:
        """Return a row's time in UTC.

        Raises
        ------
        RowError
            The cell is empty or not of the format.
        """
        value = lookup(row, self.column)
        if is_empty(value):
            raise RowError(self.column, "is empty; every event needs its time")
        try:
            return self._parse(str(value))
        except (ValueError, OverflowError):
            raise RowError(self.column, f"is no time of the format {self.format!r}") from None

    def _parse_text(self, text: str) -> datetime:
        if self.format in ("epoch_s", "epoch_ms"):
            scale = 1000 if self.format == "epoch_s" else 1
            return from_ms(int(as_number(self.column, text) * scale))
        if self.format == "iso8601":
            parsed = datetime.fromisoformat(text)
        else:
            parsed = datetime.strptime(text, self.format)  # noqa: DTZ007 - the zone follows
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=_load_zone(self.zone))
        return parsed.astimezone(UTC)
