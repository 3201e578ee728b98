"""Events as Parquet; the only module that imports pyarrow.

Settings measured against the defaults: no Arrow schema in the footer (a third of a small file),
zstd at its lowest level, dictionaries only where values repeat, statistics only where a query
can skip by them. Equal rows give equal bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def _getter(name: str) -> Callable[[StreamLine], Any]:
    """Say where a column's value is found in a line."""
    if name in _OF_THE_LINE:
        return attrgetter(name)
    owner = "event" if name in EnrichedEvent.model_fields else "position"
    return attrgetter(f"{owner}.{name}")


_GETTERS = [_getter(field.name) for field in SCHEMA]


def encode(lines: Sequence[StreamLine]) -> bytes:
    """Return a Parquet file of events, one row per line in the order given.

    Instants are cut to milliseconds.
    """
    arrays = [
        _array(field.type, [value(line) for line in lines])
        for field, value in zip(SCHEMA, _GETTERS, strict=True)
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


def _array(arrow_type: pa.DataType, values: list[Any]) -> pa.Array[Any]:
    if pa.types.is_timestamp(arrow_type):
        # Arrow refuses to cut a datetime on its way in, but not a column afterwards.
        return pa.array(values, pa.timestamp("us", "UTC")).cast(arrow_type, safe=False)
    return pa.array(values, arrow_type)
