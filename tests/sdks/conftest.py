from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.local_pipeline import LocalPipeline
from eventstream.local import stopping
from sdks.servers import Servers, servers
from sdks.world import World


@pytest.fixture(scope="module")
def local_servers() -> Iterator[Servers]:
    with servers() as made:
        yield made


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, local_servers: Servers) -> Iterator[World]:
    """One pipeline for a module: its senders keep out of each other's way by their users' names."""
    pipeline = LocalPipeline(tmp_path_factory.mktemp("state"), {"BatchWindowSeconds": "1"})
    try:
        pipeline.start()
        yield World(pipeline, local_servers)
    finally:
        stopping.stop(pipeline.state)
