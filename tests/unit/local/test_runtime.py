import importlib
import os
import sys
from pathlib import Path

import pytest

from eventstream.local.runtime import SourceFiles


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "watched_module.py"
    path.write_text("VALUE = 1\n")
    os.utime(path, ns=(10**9, 10**9))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    importlib.import_module("watched_module")
    monkeypatch.delitem(sys.modules, "unused", raising=False)
    return path


@pytest.fixture(autouse=True)
def _forget() -> object:
    yield
    sys.modules.pop("watched_module", None)


def test_an_edit_of_an_imported_file_is_noticed_once_it_was_seen(module: Path) -> None:
    sources = SourceFiles([str(module.parent)], started_ns=2 * 10**9)

    assert not sources.changed()
    os.utime(module, ns=(3 * 10**9, 3 * 10**9))
    assert sources.changed()


def test_an_edit_that_came_after_the_start_but_perhaps_after_the_import_counts(
    module: Path,
) -> None:
    os.utime(module, ns=(3 * 10**9, 3 * 10**9))

    assert SourceFiles([str(module.parent)], started_ns=2 * 10**9).changed()


def test_a_file_from_the_future_does_not_restart_the_process_for_ever(module: Path) -> None:
    os.utime(module, ns=(10**19, 10**19))
    sources = SourceFiles([str(module.parent)], started_ns=2 * 10**9)

    assert not sources.changed()


def test_a_removed_file_is_a_change(module: Path) -> None:
    sources = SourceFiles([str(module.parent)], started_ns=2 * 10**9)
    assert not sources.changed()

    module.unlink()

    assert sources.changed()


def test_files_outside_the_sources_are_not_watched(module: Path) -> None:
    sources = SourceFiles([str(module.parent / "elsewhere")], started_ns=0)

    assert not sources.changed()
