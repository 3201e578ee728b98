from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from common.domain import pages, partitions, strict_json, windows
from ingest import ids


@pytest.mark.parametrize("module", [pages, partitions, strict_json, windows, ids])
def test_every_example_in_a_docstring_holds(module: ModuleType) -> None:
    failed, tried = doctest.testmod(module)

    assert tried > 0
    assert failed == 0
