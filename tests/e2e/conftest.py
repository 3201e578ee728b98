from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.local_pipeline import LocalPipeline
from eventstream.local import stopping

MakePipeline = Callable[..., LocalPipeline]


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[MakePipeline]:
    """Make pipelines with template parameters of the test's choice; all are stopped at the end."""
    made: list[LocalPipeline] = []

    def make(**parameters: str) -> LocalPipeline:
        made.append(LocalPipeline(tmp_path / f"state-{len(made)}", parameters))
        return made[-1]

    yield make
    for each in made:
        stopping.stop(each.state)
