"""Lines of the stream, made small: most have the same names and few values."""

from __future__ import annotations

import zlib

MAX_PACKED_BYTES = 350_000
"""Of a line that is kept with its entry: of DynamoDB's 400 KB, the rest of an item takes 10."""

_COMMON_TEXT = (
    b'{"rejected":{"rule":"missing","field":"event_type","message":"is required","surface":'
    b'"segment","source":"public","received_at":"2026-11-20T10:00:00.000Z"},"raw":"{'
    b'"page_url":"https://www.,"page_path":"/,"page_title":","referrer":"https://www.google.com/",'
    b'"utm_source":","utm_medium":","utm_campaign":","ua_family":"Chrome Mobile","ua_os":"Windows",'
    b'"ua_device":"Other","is_bot":false,"ip":","sent_at":"2026-11-20T10:00:00.000Z",'
    b'"original_timestamp":"2026-11-20T10:00:00.000Z","event_schema":","schema_violation":",'
    b'"replayed":true,"context":{"library":{"name":","version":"1.0.0"}},'
    b'"properties":{"currency":"EUR","quantity":1,"price":","value":","product_id":","name":"},'
    b'{"event_id":"0199c0de-0000-7000-8000-000000000000","event_type":"page_view","timestamp":'
    b'"2026-11-20T10:00:00.000Z","user_id":"user-","anonymous_id":","session_id":","source":'
    b'"public","latency_ms":0.0,"is_error":false,"properties":{},"timestamp_source":"client",'
    b'"received_at":"2026-11-20T10:00:00.000Z","ingested_at":"2026-11-20T10:00:00.000Z",'
    b'"schema_version":1,"replayed":false}'
)
"""What lines are made of, so that short ones shrink too. It is part of how entries are stored: a
packed line names it by its checksum, and another text would need to be tried beside this one."""


def packed(line: bytes) -> bytes | None:
    """Compress a line; ``None`` when it would not fit into an entry all the same."""
    packer = zlib.compressobj(level=6, zdict=_COMMON_TEXT)
    short = packer.compress(line.strip()) + packer.flush()
    return short if len(short) <= MAX_PACKED_BYTES else None


def unpacked(short: bytes) -> bytes:
    """Return a line as it was packed."""
    return zlib.decompressobj(zdict=_COMMON_TEXT).decompress(short)
