"""A pid file that can't go stale.

The process that owns the file keeps an exclusive ``flock`` on it. The kernel drops the lock when
the process ends, however it ends, so neither a ``kill -9`` nor a re-used pid can make a dead
process look alive. A child may inherit the lock through its file descriptor: then the lock is the
child's, and outlives the parent.
"""

import fcntl
import os
import time
from pathlib import Path

PATIENCE_S = 0.5
"""How long `take` tries: a `holder` call of another process holds the lock for an instant."""


def take(path: Path) -> int | None:
    """Take the lock of a pid file.

    Parameters
    ----------
    path
        The pid file; it is made when missing.

    Returns
    -------
    int | None
        The open file descriptor that carries the lock; ``None`` when another process has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                return None
            time.sleep(0.01)
        else:
            return descriptor


def write(descriptor: int, pid: int) -> None:
    """Write a pid into a pid file whose lock is held."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{pid}\n".encode(), 0)


def holder(path: Path) -> int | None:
    """Return the pid of the living process that holds a pid file.

    Parameters
    ----------
    path
        The pid file.

    Returns
    -------
    int | None
        The pid; ``None`` when there is no file or nobody holds it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(descriptor)
    return None


def wait_until_free(path: Path, timeout_s: float) -> bool:
    """Wait until nobody holds a pid file; say whether that came true in time."""
    deadline = time.monotonic() + timeout_s
    while holder(path) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
