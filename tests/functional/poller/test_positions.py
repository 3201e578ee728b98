"""Where reading starts, and what the settings may say."""

from __future__ import annotations

import time
from typing import Any

import pytest

from eventstream.local import mappings
from eventstream.local.errors import TemplateError
from eventstream.local.poller import Poller
from functional.poller.laptop import DEFAULTS, Records, Running, eventually


def take(_records: Records) -> None:
    """Be content with every batch."""


def test_trim_horizon_starts_with_the_oldest_record() -> None:
    running = Running(take)
    running.stream.put("old")
    with running:
        running.stream.put("new")
        eventually(lambda: running.data == ["old", "new"])


def test_latest_starts_with_what_comes_after_the_start() -> None:
    running = Running(take, StartingPosition="LATEST")
    running.stream.put_to("shardId-000000000000", "old", time.time() - 5)
    with running:
        running.stream.put_to("shardId-000000000000", "new", time.time() + 1)
        eventually(lambda: running.data == ["new"])


def test_at_timestamp_starts_with_what_arrived_then() -> None:
    now_s = time.time()
    running = Running(take, StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=now_s - 60)
    for age_s in (90, 30, 10):
        running.stream.put_to("shardId-000000000000", str(age_s), now_s - age_s)
    with running:
        eventually(lambda: running.data == ["30", "10"])


@pytest.mark.parametrize("position", ["LATEST", "AT_TIMESTAMP"])
def test_a_shard_made_by_a_reshard_is_read_from_its_first_record(position: str) -> None:
    at = {"StartingPositionTimestamp": time.time()} if position == "AT_TIMESTAMP" else {}
    with Running(take, StartingPosition=position, **at) as running:
        first, _ = running.stream.split("shardId-000000000000")
        running.stream.put_to(first, "early", time.time() - 60)
        eventually(lambda: running.data == ["early"])


def test_a_restart_goes_on_behind_the_last_batch_that_was_done() -> None:
    with Running(take, StartingPosition="LATEST") as running:
        for number in range(5):
            running.stream.put_to("shardId-000000000000", str(number), time.time() + 1)
        eventually(lambda: len(running.data) == 5)
        running.restart()
        running.stream.put("5")
        eventually(lambda: running.data == [str(number) for number in range(6)])


def test_the_defaults_are_lambdas() -> None:
    found = mappings.parse("stack", "Mapping", {**DEFAULTS, "DestinationConfig": {}})

    assert (found.batch_size, found.window_s) == (100, 0)
    assert (found.retries, found.max_age_s) == (-1, -1)
    assert (found.bisect, found.partial, found.enabled) == (False, False, True)


class _Handed:
    """SSM with one mapping that was handed over."""

    def __init__(self, properties: dict[str, Any]) -> None:
        self._properties = properties

    def client(self, _service: str, **_: Any) -> _Handed:
        return self

    def get_paginator(self, _operation: str) -> _Handed:
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        import json

        value = json.dumps({"LogicalId": "Mapping", "Properties": self._properties})
        return [{"Parameters": [{"Value": value}]}]


@pytest.mark.parametrize("enabled", [False, "false"])
def test_a_disabled_mapping_is_not_run(enabled: object) -> None:
    anything: Any = _Handed({**DEFAULTS, "Enabled": enabled})

    assert Poller(anything, "stack").mappings == []


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("BatchSize", 0, "between 1 and 10000"),
        ("BatchSize", 10_001, "between 1 and 10000"),
        ("MaximumBatchingWindowInSeconds", 301, "between 0 and 300"),
        ("MaximumRetryAttempts", 10_001, "between -1 and 10000"),
        ("MaximumRecordAgeInSeconds", 604_801, "between -1 and 604800"),
        ("MaximumRecordAgeInSeconds", 59, "must be -1 or at least 60"),
        ("StartingPosition", "OLDEST", "must be one of"),
        ("StartingPosition", "AT_TIMESTAMP", "StartingPositionTimestamp"),
        ("StartingPositionTimestamp", 1_795_166_000, "AT_TIMESTAMP"),
    ],
)
def test_a_value_that_lambda_refuses_is_refused(name: str, value: object, says: str) -> None:
    with pytest.raises(TemplateError, match=f"Mapping: {name}.*{says}|Mapping: .*{says}"):
        mappings.check("Mapping", {**DEFAULTS, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ParallelizationFactor", 2),
        ("TumblingWindowInSeconds", 30),
        ("FilterCriteria", {"Filters": [{"Pattern": "{}"}]}),
        ("ProvisionedPollerConfig", {"MinimumPollers": 1}),
        ("SomethingNew", True),
    ],
)
def test_what_is_not_simulated_is_refused_by_its_name(name: str, value: object) -> None:
    with pytest.raises(TemplateError, match=f"Mapping: .*{name}"):
        mappings.check("Mapping", {**DEFAULTS, name: value})
