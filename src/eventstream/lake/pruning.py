"""Which Hive partitions a query can need, read off its conditions.

A condition is judged with the partition's values put in: true, false, or unknown as soon as it
depends on anything else. Only what is false for sure is left out, so the answer never changes.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlglot
from sqlglot import exp

from common.domain.lake_schema import PARTITIONS
from eventstream.lake.ddl import months_to
from eventstream.lake.statement import DIALECT, SESSIONS, base_tables

Values = Mapping[str, int]
"""What is known of a partition; a column that is missing is unknown."""

_COMPARISONS: dict[type[exp.Expr], Callable[[int, int], bool]] = {
    exp.EQ: operator.eq,
    exp.NEQ: operator.ne,
    exp.LT: operator.lt,
    exp.LTE: operator.le,
    exp.GT: operator.gt,
    exp.GTE: operator.ge,
}
_ARITHMETIC: dict[type[exp.Expr], Callable[[int, int], int]] = {
    exp.Add: operator.add,
    exp.Sub: operator.sub,
    exp.Mul: operator.mul,
}


@dataclass(frozen=True, slots=True)
class _Reference:
    """One use of a table: the condition on its rows, and how its columns are called in it."""

    condition: exp.Expr | None
    qualifier: str
    alone: bool
    """Whether a column without a qualifier must be of this table."""


class Pruning:
    """The partitions that a query needs.

    Parameters
    ----------
    tree
        The query; ``None`` needs every partition.
    today
        The day of the question, which the view of sessions goes by; without it, that view needs
        every partition.
    """

    def __init__(self, tree: exp.Query | None, today: date | None = None) -> None:
        if tree is None:
            self._references = [_Reference(None, "", alone=True)]
        else:
            self._references = [_reference(table, today) for table in base_tables(tree)]
        self.columns = frozenset[str]().union(*(_columns(each) for each in self._references))
        """Partition columns that any condition is about."""

    def needs(self, values: Values) -> bool:
        """Say whether a partition, or anything below a partial one, can matter.

        >>> import sqlglot
        >>> tree = sqlglot.parse_one("SELECT 1 FROM events WHERE year = 2026 AND day < 3")
        >>> [Pruning(tree).needs({"year": 2026, "month": 2, "day": day}) for day in (2, 3)]
        [True, False]
        """
        return any(
            each.condition is None or _judge(each.condition, each, values) is not False
            for each in self._references
        )


def _reference(table: exp.Table, today: date | None) -> _Reference:
    if table.name.lower() == SESSIONS:
        # Its columns are no partitions: what it reads is said in the view itself.
        months = sqlglot.parse_one(months_to(today), read=DIALECT) if today else None
        return _Reference(months, "", alone=True)
    select = table.find_ancestor(exp.Select)
    if select is None or table.parent is None or table.parent.parent is not select:
        return _Reference(None, "", alone=True)
    where = select.args.get("where")
    joins = select.args.get("joins") or []
    alone = all(isinstance(join.this, exp.Unnest) for join in joins)
    return _Reference(where.this if where else None, table.alias_or_name.lower(), alone)


def _columns(reference: _Reference) -> set[str]:
    if reference.condition is None:
        return set()
    columns = reference.condition.find_all(exp.Column)
    return {column.name.lower() for column in columns} & set(PARTITIONS)


def _judge(node: exp.Expr, of: _Reference, values: Values) -> bool | int | None:
    """Evaluate by Kleene's three-valued logic; ``None`` is unknown."""
    for kind, judge in _JUDGES:
        if isinstance(node, kind):
            return judge(node, of, values)
    return None


def _inner(node: exp.Expr, of: _Reference, values: Values) -> bool | int | None:
    return _judge(node.this, of, values)


def _column(node: exp.Expr, of: _Reference, values: Values) -> int | None:
    table = node.text("table").lower()
    ours = table == of.qualifier if table else of.alone
    return values.get(node.name.lower()) if ours else None


def _literal(node: exp.Expr, _of: _Reference, _values: Values) -> int | None:
    return int(node.name) if node.is_int else None


def _not(node: exp.Expr, of: _Reference, values: Values) -> bool | None:
    found = _judge(node.this, of, values)
    return None if found is None else not found


def _connected(node: exp.Expr, of: _Reference, values: Values) -> bool | None:
    decides = isinstance(node, exp.Or)
    sides = [_judge(side, of, values) for side in (node.this, node.expression)]
    if any(side is decides for side in sides):
        return decides
    return None if None in sides else not decides


def _between(node: exp.Expr, of: _Reference, values: Values) -> bool | None:
    value, low, high = (
        _judge(each, of, values) for each in (node.this, node.args["low"], node.args["high"])
    )
    if value is None or node.args.get("symmetric"):
        return None
    if (low is not None and value < low) or (high is not None and value > high):
        return False
    return None if low is None or high is None else True


def _in(node: exp.Expr, of: _Reference, values: Values) -> bool | None:
    value = _judge(node.this, of, values)
    listed = [_judge(each, of, values) for each in node.expressions]
    if value is None or not listed or None in listed:
        return None
    return value in listed


def _binary(node: exp.Expr, of: _Reference, values: Values) -> bool | int | None:
    act = _COMPARISONS.get(type(node)) or _ARITHMETIC.get(type(node))
    left, right = _judge(node.this, of, values), _judge(node.expression, of, values)
    return None if act is None or left is None or right is None else act(left, right)


_JUDGES: tuple[tuple[Any, Callable[[Any, _Reference, Values], bool | int | None]], ...] = (
    (exp.Paren, _inner),
    (exp.Column, _column),
    (exp.Literal, _literal),
    (exp.Not, _not),
    (exp.And, _connected),
    (exp.Or, _connected),
    (exp.Between, _between),
    (exp.In, _in),
    *((kind, _binary) for kind in (*_COMPARISONS, *_ARITHMETIC)),
)
"""How each kind of expression is judged; any other is unknown."""
