"""The log files of the local pipeline."""

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

_BYTES_PER_FILE = 5 * 1024 * 1024
_OLD_FILES = 3


def set_up(folder: Path, *, on_terminal: bool) -> None:
    """Send the pipeline's log lines to files.

    Parameters
    ----------
    folder
        Where ``dev.log`` and ``access.log`` go.
    on_terminal
        Whether warnings are shown on stderr, too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ours = logging.getLogger("eventstream")
    ours.setLevel(logging.INFO)
    ours.propagate = False
    lines = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    ours.addHandler(_file(folder / "dev.log", lines))
    if on_terminal:
        terminal = logging.StreamHandler(sys.stderr)
        terminal.setLevel(logging.WARNING)
        terminal.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        ours.addHandler(terminal)
    access = logging.getLogger("eventstream.access")
    access.propagate = False
    access.addHandler(_file(folder / "access.log", logging.Formatter("%(message)s")))


def _file(path: Path, formatter: logging.Formatter) -> logging.Handler:
    handler = RotatingFileHandler(path, maxBytes=_BYTES_PER_FILE, backupCount=_OLD_FILES)
    handler.setFormatter(formatter)
    return handler
