"""Events as Parquet; the only module that imports pyarrow.

Settings measured against the defaults: no Arrow schema in the footer (a third of a small file),
zstd at its lowest level, dictionaries only where values repeat, statistics only where a query
can skip by them. Equal rows give equal bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from common.domain.decode import StreamLine
from common.domain.lake_schema import COLUMNS
from common.models import EnrichedEvent

_REPEATING = (
    "event_type",
    "source",
    "referrer",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_term",
    "utm_content",
    "ua_family",
    "ua_os",
    "ua_device",
    "timestamp_source",
    "event_schema",
    "schema_violation",
    "stream",
    "shard",
    "session_source",
)
_SKIPPED_BY = ("event_type", "timestamp")
_OF_THE_LINE = ("line", "properties", "context", "session_id", "session_source")

_ARROW_TYPES = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int32": pa.int32(),
    "double": pa.float64(),
    "timestamp[ms, tz=UTC]": pa.timestamp("ms", "UTC"),
}

SCHEMA = pa.schema([pa.field(c.name, _ARROW_TYPES[c.arrow], nullable=c.nullable) for c in COLUMNS])
"""The lake's columns as Arrow has them."""


def _owner(name: str) -> str:
    """Say which part of a line a column is found in."""
    if name in _OF_THE_LINE:
        return "line"
    return "event" if name in EnrichedEvent.model_fields else "position"


_GETTERS = [(field.type, _owner(field.name), attrgetter(field.name)) for field in SCHEMA]


def encode(lines: Sequence[StreamLine]) -> bytes:
    """Return a Parquet file of events, one row per line in the order given.

    Instants are cut to milliseconds.
    """
    parts: dict[str, Sequence[object]] = {
        "line": lines,
        "event": [line.event for line in lines],
        "position": [line.position for line in lines],
    }
    instants: list[tuple[list[Any], pa.Array[Any]]] = []
    arrays = [
        _instants(list(map(get, parts[owner])), type_, instants)
        if pa.types.is_timestamp(type_)
        else pa.array(list(map(get, parts[owner])), type_)
        for type_, owner, get in _GETTERS
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.Table.from_arrays(arrays, schema=SCHEMA),
        sink,
        compression="zstd",
        compression_level=1,
        use_dictionary=list(_REPEATING),  # type: ignore[arg-type]
        write_statistics=list(_SKIPPED_BY),
        store_schema=False,
    )
    return bytes(sink.getvalue())


def _instants(
    values: list[Any], type_: pa.DataType, made: list[tuple[list[Any], pa.Array[Any]]]
) -> pa.Array[Any]:
    """Make a column of instants, unless one of the same instants was made before.

    Most events have several of their times in common; to compare two columns takes a tenth of what
    it takes to make one.
    """
    for same, array in made:
        if same == values:
            return array
    # Arrow refuses to cut a datetime on its way in, but not a column afterwards.
    array = pa.array(values, pa.timestamp("us", "UTC")).cast(type_, safe=False)
    made.append((values, array))
    return array
