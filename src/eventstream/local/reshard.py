"""Changing the number of shards of a stream that exists.

CloudFormation in the emulator ignores such a change, and its ``UpdateShardCount`` throws away what
the stream holds. So the stream is emptied first: everything in it is processed before it changes.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eventstream.local import shards as stream_shards
from eventstream.local.errors import DeployError
from eventstream.local.mapping_poller import MappingPoller

logger = logging.getLogger(__name__)

DRAIN_TIMEOUT_S = 120.0


def wanted_shards(template: Mapping[str, Any], resources: Mapping[str, str]) -> dict[str, int]:
    """Return the number of shards that the template asks for, by stream name."""
    found = {}
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        mode = properties.get("StreamModeDetails", {}).get("StreamMode", "PROVISIONED")
        if resource["Type"] == "AWS::Kinesis::Stream" and mode == "PROVISIONED":
            found[resources[name]] = int(properties.get("ShardCount", 1))
    return found


def apply(
    kinesis: Any,  # noqa: ANN401
    wanted: Mapping[str, int],
    pollers: Sequence[MappingPoller],
    tell: Callable[[str], None],
) -> None:
    """Give every stream its number of shards; nothing may be sent to them meanwhile.

    Parameters
    ----------
    kinesis
        Kinesis client.
    wanted
        Number of shards by stream name.
    pollers
        The running mappings.
    tell
        Tells a person what takes time.

    Raises
    ------
    DeployError
        What a stream holds isn't processed in time. The stream is as it was.
    """
    for stream, count in wanted.items():
        arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"][
            "StreamARN"
        ]
        found = [each for each in stream_shards.list_shards(kinesis, arn) if not each.closed]
        if len(found) == count:
            continue
        tell(f"changing {stream} from {len(found)} to {count} shards, once it is empty")
        readers = [poller for poller in pollers if poller.mapping.stream_arn == arn]
        _drain(stream, readers)
        kinesis.update_shard_count(
            StreamName=stream, TargetShardCount=count, ScalingType="UNIFORM_SCALING"
        )


def _drain(stream: str, readers: Sequence[MappingPoller]) -> None:
    started_s, deadline_s = time.time(), time.monotonic() + DRAIN_TIMEOUT_S
    while not all(reader.caught_up_since(started_s) for reader in readers):
        if time.monotonic() > deadline_s:
            raise DeployError(
                f"the shards of {stream} can't be changed: its records aren't processed after "
                f"{DRAIN_TIMEOUT_S:.0f} s. Start with the old ShardCount and see why, or start "
                "with --fresh"
            )
        time.sleep(0.1)
