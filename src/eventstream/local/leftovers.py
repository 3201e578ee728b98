"""What an emulator leaves that died before it ever saved.

It writes objects to disk as they come and everything else at a clean stop. Killed before the
first one, it leaves objects of a stack that nobody knows any more.
"""

import shutil
from pathlib import Path

from eventstream.local import pidfile
from eventstream.local.errors import EmulatorError
from eventstream.local.state import StateFolder

LOST = "the emulator died before it could save its tables: what is left of the store can't be used"
BEGIN_ANEW = "begin anew with `eventstream dev --fresh` (deletes the local events)"


def is_lost(state: StateFolder, code_bucket: str) -> bool:
    """Say whether the store holds objects, but no tables that they belong to.

    Parameters
    ----------
    state
        The state folder.
    code_bucket
        The bucket of the functions' package, which is uploaded anew in any case.
    """
    return any(bucket.name != code_bucket for bucket in _left_alone(state))


def clear(state: StateFolder, code_bucket: str) -> None:
    """Refuse a store whose tables are lost; empty one that holds the functions' package only.

    Raises
    ------
    EmulatorError
        There are objects, but no tables that they belong to.
    """
    if is_lost(state, code_bucket):
        raise EmulatorError(f"{LOST}; {BEGIN_ANEW}")
    if _left_alone(state):
        shutil.rmtree(state.store)


def _left_alone(state: StateFolder) -> list[Path]:
    """Return the folders of buckets, if no emulator runs and none has ever saved."""
    if pidfile.holder(state.emulator_pid) is not None or any(state.store.glob("*.json")):
        return []
    return [bucket for bucket in state.store.glob("s3/*/*") if bucket.is_dir()]
