"""A store whose emulator died before it saved: objects without tables."""

import os
from pathlib import Path

import pytest

from eventstream.local import leftovers, pidfile
from eventstream.local.doctor import _emulator
from eventstream.local.errors import EmulatorError
from eventstream.local.pipeline import CODE_BUCKET
from eventstream.local.state import StateFolder


def a_store(root: Path, *buckets: str, saved: bool = False) -> StateFolder:
    state = StateFolder(root)
    for bucket in buckets:
        (state.store / "s3" / "000000000000" / bucket).mkdir(parents=True)
    if saved:
        (state.store / "cloudformation.json").write_text("{}")
    return state


def test_objects_without_tables_are_refused_with_what_to_do(tmp_path: Path) -> None:
    state = a_store(tmp_path, CODE_BUCKET, "lake")

    with pytest.raises(EmulatorError, match=r"died before it could save .* `eventstream dev --fre"):
        leftovers.clear(state, CODE_BUCKET)

    assert leftovers.is_lost(state, CODE_BUCKET)
    assert (state.store / "s3" / "000000000000" / "lake").is_dir()


def test_the_functions_package_alone_is_nothing_to_keep(tmp_path: Path) -> None:
    state = a_store(tmp_path, CODE_BUCKET)

    leftovers.clear(state, CODE_BUCKET)

    assert not state.store.exists()


def test_a_store_that_was_saved_is_kept(tmp_path: Path) -> None:
    state = a_store(tmp_path, CODE_BUCKET, "lake", saved=True)

    leftovers.clear(state, CODE_BUCKET)

    assert (state.store / "s3" / "000000000000" / "lake").is_dir()
    assert not leftovers.is_lost(state, CODE_BUCKET)


def test_an_emulator_that_still_runs_has_its_tables_in_memory(tmp_path: Path) -> None:
    state = a_store(tmp_path, CODE_BUCKET, "lake")
    lock = pidfile.take(state.emulator_pid)
    assert lock is not None
    try:
        pidfile.write(lock, os.getpid())
        leftovers.clear(state, CODE_BUCKET)
    finally:
        os.close(lock)

    assert leftovers.is_lost(state, CODE_BUCKET)  # once it is gone


def test_the_doctor_sees_it(tmp_path: Path) -> None:
    found = _emulator(a_store(tmp_path, "lake"))

    assert (found.verdict, found.fix) == ("problem", leftovers.BEGIN_ANEW)
    assert _emulator(StateFolder(tmp_path / "none")).verdict == "ok"
