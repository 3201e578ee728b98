"""The sample queries of ``athena/sample_queries.sql``, and other days put into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import sqlglot
from sqlglot import exp

from eventstream.lake.statement import DIALECT, SqlError
from eventstream.output import UsageProblemError

FILE = Path("athena", "sample_queries.sql")
PERIOD = "period"
"""The CTE in which every sample says which days it reads."""
_MARK = "-- name: "


@dataclass(frozen=True, slots=True)
class Sample:
    """One named query."""

    name: str
    about: str
    """One sentence."""
    sql: str
    """The statement, without a semicolon."""


def read(text: str) -> list[Sample]:
    """Read the named queries of a file.

    Each begins with a line ``-- name: <name>`` and a comment of one line.
    """
    samples = []
    for part in f"\n{text}".split(f"\n{_MARK}")[1:]:
        name, about, sql = part.split("\n", 2)
        samples.append(
            Sample(name.strip(), about.removeprefix("--").strip(), sql.strip().rstrip(";"))
        )
    return samples


def find(samples: Sequence[Sample], name: str) -> Sample:
    """Return the sample of a name, in whatever case it is written.

    Raises
    ------
    UsageProblemError
        There is none; the message lists the names.
    """
    for sample in samples:
        if sample.name.lower() == name.strip().lower():
            return sample
    names = ", ".join(f'"{sample.name}"' for sample in samples)
    raise UsageProblemError(f"there is no sample query of that name; there are {names}")


def over_days(sql: str, first: date, last: date) -> str:
    """Return a sample that reads the days from ``first`` to ``last``, both included.

    Raises
    ------
    SqlError
        The statement has no CTE ``period`` that reads a table.
    """
    tree = sqlglot.parse_one(sql, read=DIALECT)
    for cte in tree.find_all(exp.CTE):
        if cte.alias == PERIOD and isinstance(cte.this, exp.Select):
            cte.set("this", cte.this.where(condition(first, last), append=False, dialect=DIALECT))
            return tree.sql(DIALECT, pretty=True)
    raise SqlError(f"the query has no CTE {PERIOD} to put the days in")


def condition(first: date, last: date) -> str:
    """Spell a span of days, both ends included, as a condition on the Hive partitions.

    >>> condition(date(2026, 10, 30), date(2026, 11, 2))  # doctest: +NORMALIZE_WHITESPACE
    '(year = 2026 AND month = 10 AND day BETWEEN 30 AND 31)
     OR (year = 2026 AND month = 11 AND day BETWEEN 1 AND 2)'
    """
    months: dict[tuple[int, int], list[int]] = {}
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        months.setdefault((day.year, day.month), []).append(day.day)
    parts = [
        f"year = {year} AND month = {month} AND day BETWEEN {days[0]} AND {days[-1]}"
        for (year, month), days in months.items()
    ]
    return parts[0] if len(parts) == 1 else " OR ".join(f"({part})" for part in parts)
