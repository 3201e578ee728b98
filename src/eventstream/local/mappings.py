"""A Kinesis event source mapping: what it may say, and what the poller makes of it."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eventstream.local.errors import TemplateError
from eventstream.local.support import (
    MAPPING_PROPERTIES,
    MAPPING_PROPERTIES_NOT_SIMULATED,
    MAPPING_PROPERTIES_REFUSED,
)

_NAMESPACE = uuid.UUID("5c1f3d1e-6f3c-4b4e-9d53-0a6a4f5d9b11")
_POSITIONS = frozenset({"TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"})

LIMITS = {
    "BatchSize": (1, 10_000),
    "MaximumBatchingWindowInSeconds": (0, 300),
    "MaximumRetryAttempts": (-1, 10_000),
    "MaximumRecordAgeInSeconds": (-1, 604_800),
}
"""Lambda's ranges; source: "Lambda parameters for Amazon Kinesis Data Streams event source
mappings" in the Lambda developer guide."""

YOUNGEST_AGE_S = 60
"""Least MaximumRecordAgeInSeconds but -1; source: "CreateEventSourceMapping" in the Lambda API
reference."""


@dataclass(frozen=True)
class StreamMapping:
    """One Kinesis event source mapping, resolved.

    Attributes
    ----------
    retries
        Retries of a failing batch; -1 until its records expire.
    max_age_s
        Age at which a record is given up; -1 never.
    partial
        Whether the function's ``batchItemFailures`` count.
    failure_bucket
        Bucket for batches that were given up; ``None`` loses them, as Lambda does.
    """

    uuid: str
    logical_id: str
    stream_arn: str
    function: str
    starting_position: str
    starting_at_s: float | None = None
    batch_size: int = 100
    window_s: float = 0.0
    retries: int = -1
    max_age_s: int = -1
    bisect: bool = False
    partial: bool = False
    failure_bucket: str | None = None
    enabled: bool = True

    @property
    def stream_name(self) -> str:
        """Name of the stream."""
        return self.stream_arn.rsplit("/", 1)[-1]


def mapping_uuid(stack_name: str, logical_id: str) -> str:
    """Return the mapping's UUID: the same at every start, as a deployed one keeps its own."""
    return str(uuid.uuid5(_NAMESPACE, f"{stack_name}/{logical_id}"))


def check(logical_id: str, properties: Mapping[str, Any]) -> dict[str, str]:
    """Refuse a mapping that the poller couldn't run as Lambda would.

    Parameters
    ----------
    logical_id
        Logical id of the mapping.
    properties
        Its properties, parameters and conditions resolved.

    Returns
    -------
    dict[str, str]
        The properties that are left out on purpose, and why.

    Raises
    ------
    TemplateError
        A property, or a value of one, is not simulated.
    """
    _check_names(logical_id, properties)
    _check_fixed_values(logical_id, properties)
    _check_start(logical_id, properties)
    for name, (low, high) in LIMITS.items():
        number = properties.get(name)
        if number is not None and not low <= _number(logical_id, name, number) <= high:
            raise TemplateError(f"{logical_id}: {name} must be between {low} and {high}")
    age = properties.get("MaximumRecordAgeInSeconds", -1)
    if -1 < _number(logical_id, "MaximumRecordAgeInSeconds", age) < YOUNGEST_AGE_S:
        raise TemplateError(
            f"{logical_id}: MaximumRecordAgeInSeconds must be -1 or at least {YOUNGEST_AGE_S}"
        )
    return {
        name: reason
        for name, reason in MAPPING_PROPERTIES_NOT_SIMULATED.items()
        if name in properties
    }


def _check_names(logical_id: str, properties: Mapping[str, Any]) -> None:
    for name in sorted(properties):
        if name in MAPPING_PROPERTIES_REFUSED:
            raise TemplateError(
                f"{logical_id}: the local poller doesn't do {name}: "
                f"{MAPPING_PROPERTIES_REFUSED[name]}"
            )
        if name not in MAPPING_PROPERTIES and name not in MAPPING_PROPERTIES_NOT_SIMULATED:
            raise TemplateError(
                f"{logical_id}: the local poller doesn't know the property {name} of an event "
                "source mapping"
            )


def _check_start(logical_id: str, properties: Mapping[str, Any]) -> None:
    at_a_time = properties["StartingPosition"] == "AT_TIMESTAMP"
    if at_a_time != ("StartingPositionTimestamp" in properties):
        raise TemplateError(
            f"{logical_id}: StartingPositionTimestamp goes with StartingPosition AT_TIMESTAMP, "
            "and that with it"
        )
    if at_a_time:
        _number(logical_id, "StartingPositionTimestamp", properties["StartingPositionTimestamp"])


def _check_fixed_values(logical_id: str, properties: Mapping[str, Any]) -> None:
    for required in ("EventSourceArn", "FunctionName", "StartingPosition"):
        if required not in properties:
            raise TemplateError(f"{logical_id}: {required} is missing")
    if str(properties.get("ParallelizationFactor", 1)) != "1":
        raise TemplateError(
            f"{logical_id}: the local poller runs one batch at a time per shard: "
            "ParallelizationFactor must be 1"
        )
    if properties["StartingPosition"] not in _POSITIONS:
        raise TemplateError(
            f"{logical_id}: StartingPosition must be one of {', '.join(sorted(_POSITIONS))}"
        )
    types = properties.get("FunctionResponseTypes", [])
    if not set(types) <= {"ReportBatchItemFailures"}:
        raise TemplateError(f"{logical_id}: FunctionResponseTypes knows ReportBatchItemFailures")
    destinations = properties.get("DestinationConfig", {})
    if not set(destinations) <= {"OnFailure"}:
        raise TemplateError(f"{logical_id}: DestinationConfig knows OnFailure only")


def _number(logical_id: str, name: str, value: Any) -> float:  # noqa: ANN401
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TemplateError(f"{logical_id}: {name} must be a number") from None


def parse(stack_name: str, logical_id: str, properties: Mapping[str, Any]) -> StreamMapping:
    """Build the mapping from the properties that the stack handed over.

    Raises
    ------
    TemplateError
        The source is no stream, or the on-failure destination is no bucket.
    """
    stream_arn = properties["EventSourceArn"]
    if ":kinesis:" not in stream_arn or ":stream/" not in stream_arn:
        raise TemplateError(f"{logical_id}: the local poller reads Kinesis streams only")
    destination = properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    if destination is not None and ":s3:::" not in destination:
        raise TemplateError(
            f"{logical_id}: DestinationConfig.OnFailure must be the ARN of an S3 bucket"
        )
    at = properties.get("StartingPositionTimestamp")
    return StreamMapping(
        uuid=mapping_uuid(stack_name, logical_id),
        logical_id=logical_id,
        stream_arn=stream_arn,
        function=properties["FunctionName"],
        starting_position=properties["StartingPosition"],
        starting_at_s=None if at is None else float(at),
        batch_size=int(properties.get("BatchSize", 100)),
        window_s=float(properties.get("MaximumBatchingWindowInSeconds", 0)),
        retries=int(properties.get("MaximumRetryAttempts", -1)),
        max_age_s=int(properties.get("MaximumRecordAgeInSeconds", -1)),
        bisect=str(properties.get("BisectBatchOnFunctionError", False)).lower() == "true",
        partial="ReportBatchItemFailures" in properties.get("FunctionResponseTypes", []),
        failure_bucket=None if destination is None else destination.rsplit(":::", 1)[-1],
        enabled=str(properties.get("Enabled", True)).lower() == "true",
    )
