"""Where the objects of a pipeline lie, its streams, and the settings of its ingest function."""

from __future__ import annotations

from typing import Any, Protocol

from common.adapters.kinesis import CLIENT_CONFIG, KinesisSink
from common.adapters.routed_streams import RoutedSink
from common.config import IngestConfig
from common.domain.keys import QUARANTINE_PREFIX
from eventstream.output import note
from eventstream.replay import failed
from eventstream.replay.failed import read_failed
from eventstream.replay.kept import read_kept
from eventstream.replay.sending import Pace, Sender
from eventstream.replay.store import WaitingObjects

INGEST = "IngestFunction"


class Stack(Protocol):
    """The part of a target that is needed here."""

    def client(self, service: str, **options: Any) -> Any:  # noqa: ANN401 - one of 400 client types
        """Return a boto3 client for it."""
        ...

    def resource(self, logical_id: str) -> str:
        """Return the physical name of a resource of the template."""
        ...


def quarantine(stack: Stack) -> WaitingObjects:
    """Return the quarantine of a pipeline."""
    bucket = stack.resource("LakeBucket")
    return WaitingObjects(stack.client("s3"), bucket, QUARANTINE_PREFIX, read_kept)


def failures(stack: Stack) -> WaitingObjects:
    """Return the batches that a pipeline's mappings gave up on."""
    bucket = stack.resource("FailureBucket")
    return WaitingObjects(stack.client("s3"), bucket, failed.PREFIX, read_failed)


def ingest_config(stack: Stack) -> IngestConfig:
    """Return the settings that the deployed ingest function has.

    Raises
    ------
    ConfigError
        It is of another version, whose settings are others.
    """
    found = stack.client("lambda").get_function_configuration(FunctionName=stack.resource(INGEST))
    return IngestConfig.from_env(found.get("Environment", {}).get("Variables", {}))


def sender(
    stack: Stack, config: IngestConfig, rate: float | None, give_up_after_s: float
) -> Sender:
    """Return what puts events on the pipeline's streams."""
    kinesis = stack.client("kinesis", config=CLIENT_CONFIG)
    flows = {name: KinesisSink(kinesis, name) for name in config.stream_routes.families.values()}
    sink = RoutedSink(KinesisSink(kinesis, config.stream_name), flows, note)
    return Sender(sink, config.partition_buckets, Pace(rate), give_up_after_s=give_up_after_s)
