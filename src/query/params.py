"""Query parameters: each is read by its rule, and every broken rule is told at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic_core import PydanticCustomError

from common.domain.keys import ALL_TYPES, OTHER_TYPES
from common.domain.sessions import MAX_IDENTITY
from common.errors import FieldError, InvalidRequestError
from common.models import EVENT_TYPE_PATTERN, parse_instant
from query import cursor

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
"""Instants outside these are refused: nothing is stored there, and dates near 9999 overflow."""

_EVENT_TYPE = re.compile(EVENT_TYPE_PATTERN)
_EPOCH_MS = re.compile(r"-?\d{1,15}", re.ASCII)
_LOST_PLUS = re.compile(r" (?=\d\d:\d\d$)")
"""In a query string an unescaped ``+`` is a space: ``10:00 01:00`` was ``10:00+01:00``."""


class ParamReader:
    """Reads the parameters of one request; call :meth:`done` when all are read.

    Parameters
    ----------
    query
        The decoded query string.
    allowed
        Names that the route knows.

    Attributes
    ----------
    errors
        The rules broken so far.
    """

    def __init__(self, query: Mapping[str, str], allowed: tuple[str, ...]) -> None:
        self._query = query
        self.errors: list[FieldError] = []
        known = ", ".join(allowed) or "none"
        for name in sorted(set(query) - set(allowed)):
            # A name is the client's text too: cut, so that an answer cannot be made long.
            self.refuse(name[:64], "unknown_parameter", f"there is no such parameter; use {known}")

    def refuse(self, name: str, rule: str, message: str) -> None:
        """Note that a parameter breaks a rule."""
        self.errors.append(FieldError(name, rule, message))

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        """Read one of a few words."""
        value = self._query.get(name, default)
        if value in choices:
            return value
        self.refuse(name, "not_a_choice", f"must be one of {', '.join(choices)}")
        return default

    def limit(self, default: int, most: int) -> int:
        """Read ``limit``, the most rows of a page."""
        text = self._query.get("limit")
        if text is None:
            return default
        if text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= most:
            return int(text)
        self.refuse("limit", "out_of_range", f"must be a whole number from 1 to {most:,}")
        return default

    def instant(self, name: str, default: datetime) -> datetime:
        """Read an instant: RFC 3339 with a zone, or epoch milliseconds."""
        text = self._query.get(name)
        if text is None:
            return default
        try:
            value = parse_instant(
                int(text) if _EPOCH_MS.fullmatch(text) else _LOST_PLUS.sub("+", text)
            )
        except PydanticCustomError as error:
            rule = "out_of_range" if error.type == "instant_range" else "bad_format"
            self.refuse(name, rule, error.message())
            return default
        if EARLIEST <= value <= LATEST:
            return value
        self.refuse(name, "out_of_range", "must be between the years 1970 and 2200")
        return default

    def identity(self, name: str) -> str | None:
        """Read who or what is meant, by an id as events carry it; ``None`` when not given."""
        text = self._query.get(name)
        if text is None or (1 <= len(text) <= MAX_IDENTITY and text.isprintable()):
            return text
        self.refuse(name, "bad_format", f"must be 1 to {MAX_IDENTITY} printable characters")
        return None

    def event_type(self) -> str:
        """Read ``event_type``; all types together when it is not given."""
        value = self._query.get("event_type", ALL_TYPES)
        if value in (ALL_TYPES, OTHER_TYPES) or _EVENT_TYPE.fullmatch(value):
            return value
        self.refuse(
            "event_type",
            "bad_format",
            "must start with a letter and hold at most 128 letters, digits, spaces and _ . : - ; "
            "leave it out for all types together",
        )
        return ALL_TYPES

    def cursor(self, pattern: re.Pattern[str]) -> list[str] | None:
        """Read ``cursor``: the groups of ``pattern``, each a part; ``None`` on a first page."""
        text = self._query.get("cursor")
        if text is None:
            return None
        try:
            match = pattern.fullmatch("\n".join(cursor.decode(text, pattern.groups)))
        except ValueError:
            match = None
        if match is None:
            self.refuse(
                "cursor", "bad_cursor", "must be the next_cursor of an answer of this route"
            )
            return None
        return list(match.groups())

    def done(self) -> None:
        """End the reading.

        Raises
        ------
        InvalidRequestError
            Naming each parameter and the rule that it breaks.
        """
        if self.errors:
            text = "; ".join(f"{each.field}: {each.message}" for each in self.errors)
            raise InvalidRequestError(text, errors=self.errors)
