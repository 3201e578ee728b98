"""The environment of a deployed ingest function."""

from __future__ import annotations

INGEST_SETTINGS = {
    "STREAM_NAME": "events",
    "PARTITION_BUCKETS": "8",
    "MAX_EVENT_AGE_HOURS": "168",
    "MAX_EVENT_FUTURE_MINUTES": "5",
    "ERROR_TYPES": "error",
    "STREAM_ROUTES": "",
    "SCHEMA_MODE": "off",
    "STORE_CLIENT_IP": "off",
    "REQUIRE_API_KEY": "false",
    "KEYS_TABLE": "keys",
}
