"""The lake as the hourly ETL reads it: whole hours, as files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol


class LakeReader(Protocol):
    """Brings the objects of an hour to local files."""

    def download(self, hour: datetime, directory: Path) -> Mapping[Path, str]:
        """List the Parquet objects of an hour, then write each to a file of its own.

        Parameters
        ----------
        hour
            Start of an hour of event time.
        directory
            Where to; must exist.

        Returns
        -------
        Mapping of Path to str
            The object's key by file; empty for an hour without events. Every object that was
            there when the call began is in it.

        Raises
        ------
        ThrottledError, StoreError
            The hour could not be read whole, or does not fit the disk.
        """
        ...
