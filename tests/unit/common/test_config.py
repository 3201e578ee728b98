from __future__ import annotations

import pytest

from common.config import AggregateConfig, Config, IngestConfig, ProcessConfig, QueryConfig
from common.errors import ConfigError

INGEST = {
    "STREAM_NAME": "s",
    "PARTITION_BUCKETS": "64",
    "MAX_EVENT_AGE_HOURS": "168",
    "MAX_EVENT_FUTURE_MINUTES": "5",
    "ERROR_TYPES": "error, exception",
    "STREAM_ROUTES": "",
    "REQUIRE_API_KEY": "false",
    "KEYS_TABLE": "keys",
    "SCHEMA_MODE": "observe",
    "STORE_CLIENT_IP": "truncated",
}


def test_reads_each_field_from_the_variable_of_its_name() -> None:
    config = IngestConfig.from_env(INGEST | {"UNRELATED": "x"})

    assert config.partition_buckets == 64
    assert config.error_types == {"error", "exception"}


@pytest.mark.parametrize("config", [IngestConfig, ProcessConfig, AggregateConfig, QueryConfig])
def test_an_empty_environment_is_refused_naming_every_variable(config: type[Config]) -> None:
    with pytest.raises(ConfigError) as caught:
        config.from_env({})

    assert all(name in caught.value.message for name in config.variables())


def test_a_wrong_value_is_refused_naming_the_variable_but_not_the_value() -> None:
    with pytest.raises(ConfigError, match="PARTITION_BUCKETS") as caught:
        IngestConfig.from_env(INGEST | {"PARTITION_BUCKETS": "many"})

    assert "many" not in caught.value.message


@pytest.mark.parametrize(
    ("config", "variable", "value"),
    [
        (ProcessConfig, "MAX_TYPES_PER_WINDOW", "201"),
        (IngestConfig, "MAX_EVENT_AGE_HOURS", "219001"),
        (IngestConfig, "MAX_EVENT_FUTURE_MINUTES", "1441"),
    ],
)
def test_a_value_that_another_guarantee_excludes_is_refused(
    config: type[Config], variable: str, value: str
) -> None:
    with pytest.raises(ConfigError, match=f"{variable}: Input should be less than or equal"):
        config.from_env({variable: value})


@pytest.mark.parametrize(
    ("variable", "value"), [("SCHEMA_MODE", "lenient"), ("STORE_CLIENT_IP", "yes")]
)
def test_a_mode_that_there_is_not_is_refused(variable: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"{variable}: Input should be 'off'"):
        IngestConfig.from_env(INGEST | {variable: value})
