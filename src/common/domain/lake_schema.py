"""Columns of the lake, read off :class:`common.models.LakeRow`.

The Parquet schema of the writer and the Athena table both follow :data:`COLUMNS`.
"""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AwareDatetime

from common.models import LakeRow

PARTITIONS = ("year", "month", "day", "hour")
"""Hive partition keys, in path order; integers, by event time in UTC."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its Athena (Hive) type and its Arrow type by Arrow's own name."""

    name: str
    athena: str
    arrow: str
    nullable: bool


_BY_PYTHON_TYPE: dict[Any, tuple[str, str]] = {
    str: ("string", "string"),
    bool: ("boolean", "bool"),
    int: ("int", "int32"),
    float: ("double", "double"),
    AwareDatetime: ("timestamp", "timestamp[ms, tz=UTC]"),
    dict: ("string", "string"),
}
"""JSON objects are stored as JSON text: free keys can be no struct."""


def _column(name: str, annotation: object) -> Column:
    nullable = False
    if get_origin(annotation) in (Union, types.UnionType):
        [annotation] = [part for part in get_args(annotation) if part is not type(None)]
        nullable = True
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    base = str if get_origin(annotation) is Literal else get_origin(annotation) or annotation
    athena, arrow = _BY_PYTHON_TYPE[base]
    return Column(name, athena, arrow, nullable)


COLUMNS: tuple[Column, ...] = tuple(
    _column(name, field.annotation) for name, field in LakeRow.model_fields.items()
)
"""The lake's columns in file order."""
