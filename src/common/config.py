"""Settings of each function, read from its environment once.

``template.yaml`` sets exactly the variables that a class here names; a test holds both directions.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from common.domain.stream_routes import StreamRoutes
from common.errors import ConfigError


def _split(value: object) -> object:
    """Turn ``"error, exception"`` into its parts; leave anything else to Pydantic."""
    if isinstance(value, str):
        return frozenset(part.strip() for part in value.split(",") if part.strip())
    return value


def _routes(value: object) -> object:
    return StreamRoutes.parse(value) if isinstance(value, str) else value


def _flows(value: object) -> object:
    """Turn ``"stream/function,stream/function"`` into pairs; leave anything else to Pydantic."""
    if not isinstance(value, str):
        return value
    return tuple(tuple(part.strip().split("/")) for part in value.split(",") if part.strip())


Names = Annotated[frozenset[str], BeforeValidator(_split)]
Routes = Annotated[StreamRoutes, BeforeValidator(_routes)]
Flows = Annotated[tuple[tuple[str, str], ...], BeforeValidator(_flows)]


class Config(BaseModel):
    """Base: a field ``stream_name`` is the variable ``STREAM_NAME``."""

    model_config = ConfigDict(frozen=True)

    @classmethod
    def variables(cls) -> frozenset[str]:
        """Name the environment variables this class reads."""
        return frozenset(name.upper() for name in cls.model_fields)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the settings.

        Raises
        ------
        ConfigError
            Naming every variable that is missing or breaks its rule.
        """
        given = {
            name: environ[name.upper()] for name in cls.model_fields if name.upper() in environ
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            problems = "; ".join(
                f"{str(e['loc'][0]).upper()}: {e['msg']}"
                for e in error.errors(include_input=False, include_url=False)
            )
            raise ConfigError(f"the environment does not fit: {problems}") from None


class IngestConfig(Config):
    """Settings of the ingest function."""

    stream_name: str = Field(min_length=1)
    partition_buckets: int = Field(ge=1, le=4096)
    max_event_age_hours: int = Field(ge=1, le=219_000)
    """At most 25 years: no time that a client's clock is corrected to lies before 1970."""
    max_event_future_minutes: int = Field(ge=0, le=1_440)
    error_types: Names
    stream_routes: Routes
    """Families of event types whose event flow has a stream of its own."""
    schema_mode: Literal["off", "observe", "strict"]
    store_client_ip: Literal["off", "truncated", "full"]
    require_api_key: bool
    keys_table: str = Field(min_length=1)


class ProcessConfig(Config):
    """Settings of the process function."""

    lake_bucket: str = Field(min_length=1)
    hot_table: str = Field(min_length=1)
    aggregates_table: str = Field(min_length=1)
    metric_retention_days: int = Field(ge=9)
    max_types_per_window: int = Field(ge=1, le=200)
    """With 200, a window is a DynamoDB item of at most 350 KB; see :mod:`common.domain.hot`."""
    sessions: Literal["on", "off"]
    sessions_table: str = Field(min_length=1)
    session_gap_minutes: int = Field(ge=1, le=1_440)
    session_retention_days: int = Field(ge=7, le=90)
    """Not less than a stream can keep its records: with the margin of
    :data:`common.domain.sessions.MARGIN_MS`, marks outlive every redelivery."""
    event_index: Literal["on", "off"]
    event_index_table: str = Field(min_length=1)
    event_index_days: int = Field(ge=9, le=365)
    """More than a stream can keep its records: no owner of an event is replaced while it can come
    again."""


class AggregateConfig(Config):
    """Settings of the aggregate function."""

    lake_bucket: str = Field(min_length=1)
    aggregates_table: str = Field(min_length=1)
    alert_topic_arn: str = Field(min_length=1)
    stream_name: str = Field(min_length=1)
    process_function_name: str = Field(min_length=1)
    flows: Flows
    """Stream and function of every event flow beside the default one."""
    anomaly_threshold: float = Field(gt=0)
    baseline_hours: int = Field(ge=24)
    etl_grace_minutes: int = Field(ge=0)
    max_hours_per_run: int = Field(ge=1)
    duckdb_memory_mb: int = Field(ge=64)


class QueryConfig(Config):
    """Settings of the query function."""

    hot_table: str = Field(min_length=1)
    aggregates_table: str = Field(min_length=1)
    sessions: Literal["on", "off"]
    sessions_table: str = Field(min_length=1)
    session_gap_minutes: int = Field(ge=1, le=1_440)
    session_retention_days: int = Field(ge=7, le=90)
    event_index: Literal["on", "off"]
    event_index_table: str = Field(min_length=1)
    event_index_days: int = Field(ge=9, le=365)
    max_event_age_hours: int = Field(ge=1)
    maximum_record_age_seconds: int = Field(ge=60)
    require_api_key: bool
    keys_table: str = Field(min_length=1)
