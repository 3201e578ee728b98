"""Generated rows of a shop, and what they add up to, computed without any of our code."""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from e2e.local_pipeline import LocalPipeline

Hourly = dict[str, dict[str, tuple[int, int]]]
"""(count, unique users) by event type and ISO hour."""

MAPPING = """
event = {type = "purchase", rules = [{when = "quantity < 0", type = "return"}]}
timestamp = {column = "at", format = "%Y-%m-%d %H:%M:%S", zone = "UTC"}
user_id = {column = "customer", strip_suffix = ".0"}

[properties]
order = "string"
quantity = "integer"
price = "number"
"""


@dataclass(frozen=True)
class Table:
    """Rows on disk, their mapping, and the hours ``[first, end)`` that they lie in."""

    path: Path
    mapping: Path
    first: str
    end: str

    @property
    def load(self) -> tuple[str, ...]:
        """The command that loads it."""
        return ("load", str(self.path), "--mapping", str(self.mapping))

    def hourly(self) -> Hourly:
        """Count its rows."""
        with self.path.open(newline="") as file:
            return expected(csv.DictReader(file), "at", "customer", "quantity")


def write_rows(folder: Path, count: int, hours: int, seed: int = 11) -> Table:
    """Write a table that ends with the last complete hour; a fifth of it has no customer."""
    rng = random.Random(seed)
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    table, mapping = folder / "orders.csv", folder / "orders.toml"
    mapping.write_text(MAPPING)
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["order", "at", "customer", "quantity", "price"])
        for number in range(count):
            at = end - timedelta(seconds=1 + int(rng.random() ** 1.3 * (hours * 3600 - 1)))
            customer = "" if rng.random() < 0.2 else f"{rng.randrange(150)}.0"
            quantity = -1 if rng.random() < 0.1 else rng.randrange(1, 9)
            writer.writerow([f"o{number}", f"{at:%Y-%m-%d %H:%M:%S}", customer, quantity, 9.5])
    return Table(table, mapping, iso_hour(end - timedelta(hours=hours)), iso_hour(end))


def iso_hour(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H")


def expected(
    rows: Iterable[Mapping[str, str]], at: str, customer: str, quantity: str, shift_hours: int = 0
) -> Hourly:
    """Count rows by type and hour, and the customers that are named in them."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    users: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        kind = "return" if int(row[quantity]) < 0 else "purchase"
        moved = datetime.fromisoformat(row[at]) + timedelta(hours=shift_hours)
        hour = iso_hour(moved)
        counts[kind, hour] += 1
        if row[customer]:
            users[kind, hour].add(row[customer])
    hourly: Hourly = defaultdict(dict)
    for (kind, hour), n in counts.items():
        hourly[kind][hour] = (n, len(users[kind, hour]))
    return dict(hourly)


SQL = """
SELECT event_type, date_format(timestamp, '%Y-%m-%dT%H') AS hour,
       count(*) AS n, count(DISTINCT coalesce(user_id, anonymous_id)) AS users
FROM events GROUP BY 1, 2
"""


def by_sql(pipeline: LocalPipeline) -> Hourly:
    """Count the rows of the lake with the command."""
    found: Hourly = {}
    for row in pipeline.must("sql", SQL, "--json").json["rows"]:
        of_type = found.setdefault(row["event_type"], {})
        of_type[row["hour"]] = (int(row["n"]), int(row["users"]))
    return found
