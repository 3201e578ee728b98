"""Conditions of a mapping file, such as ``Quantity < 0 and Country != "France"``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

Row = Mapping[str, Any]

_TEST = re.compile(
    r"""\s*(?P<column>"[^"]+"|[^\s"<>=!]+)\s*
        (?:(?P<empty>is\s+(?:not\s+)?empty)
         |(?P<operator><=|>=|==|!=|<|>|contains\b|starts\s+with\b)\s*(?P<value>"[^"]*"|'[^']*'|[^\s"']+)
        )\s*""",
    re.VERBOSE,
)
_AND = re.compile(r"\s*\band\b\s*")

_NUMBERS: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    "<": lambda cell, value: cell < value,
    "<=": lambda cell, value: cell <= value,
    ">": lambda cell, value: cell > value,
    ">=": lambda cell, value: cell >= value,
    "==": lambda cell, value: cell == value,
    "!=": lambda cell, value: cell != value,
}
_TEXTS: Mapping[str, Callable[[str, str], bool]] = {
    "==": lambda cell, value: cell == value,
    "!=": lambda cell, value: cell != value,
    "contains": lambda cell, value: value in cell,
    "starts with": lambda cell, value: cell.startswith(value),
}


class RowError(Exception):
    """A row that the mapping can't make an event of.

    Attributes
    ----------
    column
        Which column, or ``row`` for all of it.
    rule
        What was expected there.
    """

    def __init__(self, column: str, rule: str) -> None:
        super().__init__(f"{column}: {rule}")
        self.column, self.rule = column, rule


def is_empty(value: object) -> bool:
    """Say whether a cell holds nothing."""
    return value is None or value == ""


def lookup(row: Row, column: str) -> Any:  # noqa: ANN401 - a cell of a CSV or any JSON value
    """Return a cell; a dotted name also looks inside JSON objects. ``None`` when there is none."""
    if column in row:
        return row[column]
    value: Any = row
    for part in column.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def as_number(column: str, value: object) -> Decimal:
    """Read a cell as a finite number.

    Raises
    ------
    RowError
        It isn't one.
    """
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(value, bool) or not number.is_finite():
        raise RowError(column, "must be a number")
    return number


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison of one column."""

    column: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Condition:
    """Comparisons that must all hold."""

    text: str
    tests: tuple[Test, ...] = field(repr=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns it looks at."""
        return tuple(test.column for test in self.tests)

    def __call__(self, row: Row) -> bool:
        """Say whether the condition holds for a row."""
        return all(test.holds(lookup(row, test.column)) for test in self.tests)


def parse_condition(text: str) -> Condition:
    """Read a condition.

    Parameters
    ----------
    text
        Tests joined by ``and``: ``COLUMN < 3`` (also ``<= > >= == !=``), ``COLUMN == "text"``,
        ``COLUMN contains "text"``, ``COLUMN starts with "text"``, ``COLUMN is empty``,
        ``COLUMN is not empty``. A column with spaces stands in double quotes. A number compares
        as a number, quoted text as text.

    Raises
    ------
    ValueError
        Naming the place that can't be read.

    Examples
    --------
    >>> parse_condition("Quantity < 0")({"Quantity": "-2"})
    True
    """
    tests, position = [], 0
    while True:
        match = _TEST.match(text, position)
        if match is None:
            raise ValueError(
                f"can't read {text[position:]!r}: write COLUMN < 3, COLUMN == 'text', "
                "COLUMN contains 'text' or COLUMN is empty, joined by `and`"
            )
        tests.append(_test(match))
        position = match.end()
        if position == len(text):
            return Condition(text, tuple(tests))
        joint = _AND.match(text, position)
        if joint is None:
            raise ValueError(f"expected `and` before {text[position:]!r}")
        position = joint.end()


def _test(match: re.Match[str]) -> Test:
    column = match["column"].strip('"')
    if match["empty"]:
        wanted = "not" not in match["empty"].split()
        return Test(column, lambda cell: is_empty(cell) is wanted)
    operator, raw = " ".join(match["operator"].split()), match["value"]
    if raw[0] in "\"'":
        return _text_test(column, operator, raw[1:-1])
    try:
        value = Decimal(raw)
    except InvalidOperation:
        raise ValueError(f"{raw!r} is no number; text must stand in quotes") from None
    if operator not in _NUMBERS:
        raise ValueError(f"`{operator}` compares text: put {raw!r} in quotes")
    compare = _NUMBERS[operator]
    return Test(column, lambda cell: not is_empty(cell) and compare(as_number(column, cell), value))


def _text_test(column: str, operator: str, value: str) -> Test:
    if operator not in _TEXTS:
        raise ValueError(f"`{operator}` compares numbers: {value!r} is text")
    compare = _TEXTS[operator]
    return Test(column, lambda cell: compare("" if cell is None else str(cell), value))
