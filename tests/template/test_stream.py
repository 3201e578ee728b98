from __future__ import annotations

import pytest

from template.checks import stream
from template.checks.reading import Template, with_value, without

MAPPING = ("ProcessFunctionEventStreamMapping", "Properties")
STREAM = ("EventStream", "Properties")


def test_the_mapping_neither_loses_nor_doubles_nor_blocks(translated: Template) -> None:
    assert stream.unsafe_mappings(translated) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ParallelizationFactor", 2),
        ("StartingPosition", "LATEST"),
        ("FunctionResponseTypes", []),
        ("BisectBatchOnFunctionError", False),
        ("MaximumRetryAttempts", 3),
        ("MaximumRecordAgeInSeconds", -1),
        ("MetricsConfig", {"Metrics": []}),
        ("FilterCriteria", {"Filters": []}),
        ("DestinationConfig", {"OnFailure": {"Destination": {"Ref": "AlarmTopic"}}}),
    ],
)
def test_an_unsafe_mapping_is_found(key: str, value: object, translated: Template) -> None:
    assert stream.unsafe_mappings(with_value(translated, value, *MAPPING, key)) != []


def test_a_mapping_without_failure_destination_is_found(translated: Template) -> None:
    assert stream.unsafe_mappings(without(translated, *MAPPING, "DestinationConfig")) != []


def test_a_second_mapping_on_the_stream_is_found(translated: Template) -> None:
    second = translated["Resources"]["ProcessFunctionEventStreamMapping"]

    doubled = with_value(translated, second, "SecondMapping")

    assert stream.unsafe_mappings(doubled) == ["the stream must have one mapping"]


def test_the_stream_is_what_the_parameters_say(translated: Template) -> None:
    assert stream.wrong_streams(translated) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ShardCount", {"Ref": "ShardCount"}),
        ("RetentionPeriodHours", 24),
        ("StreamModeDetails", {"StreamMode": "ON_DEMAND"}),
        ("RecordDistributionStrategy", "AUTO"),
    ],
)
def test_another_stream_is_found(key: str, value: object, translated: Template) -> None:
    assert stream.wrong_streams(with_value(translated, value, *STREAM, key)) != []
