from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from eventstream.local.checkpoints import Checkpoints, Position, table_name


@pytest.fixture
def checkpoints() -> Iterator[Checkpoints]:
    with mock_aws():
        found = Checkpoints(boto3.client("dynamodb", "us-east-1"), table_name("stack"), "mapping")
        found.prepare()
        yield found


def test_a_mapping_that_was_never_started_has_no_positions(checkpoints: Checkpoints) -> None:
    assert checkpoints.load() is None


def test_a_mapping_that_was_started_without_shards_is_known(checkpoints: Checkpoints) -> None:
    checkpoints.begin({})

    assert checkpoints.load() == {}


@pytest.mark.parametrize(
    "position",
    [
        pytest.param(Position(), id="from the oldest record on"),
        pytest.param(Position(from_s=1795166100.123), id="from a time on"),
        pytest.param(Position(sequence="4" * 56), id="after a record"),
        pytest.param(Position(finished=True), id="finished"),
    ],
)
def test_a_position_is_read_back_as_it_was_saved(
    checkpoints: Checkpoints, position: Position
) -> None:
    checkpoints.begin({"shard-0": position})

    assert checkpoints.load() == {"shard-0": position}


def test_a_checkpoint_replaces_the_one_before(checkpoints: Checkpoints) -> None:
    checkpoints.begin({"shard-0": Position(from_s=1.0)})

    checkpoints.save("shard-0", Position(sequence="7"))

    assert checkpoints.load() == {"shard-0": Position(sequence="7")}


def test_preparing_twice_keeps_what_is_there(checkpoints: Checkpoints) -> None:
    checkpoints.begin({"shard-0": Position(sequence="7")})

    checkpoints.prepare()

    assert checkpoints.load() == {"shard-0": Position(sequence="7")}
