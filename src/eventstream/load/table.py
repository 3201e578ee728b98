"""The rows of a file: CSV or NDJSON, gzipped or not."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eventstream.load.rules import Row, RowError
from eventstream.output import UsageProblemError

NumberedRow = tuple[int, Row | RowError]

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Table:
    """The rows of a CSV or NDJSON file, gzipped or not."""

    path: Path
    format: str
    delimiter: str = ","
    encoding: str = "utf-8-sig"

    def digest(self) -> str:
        """Return the SHA-256 of the file as it lies there."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def rows(
        self, check_header: Callable[[list[str]], None] | None = None
    ) -> Iterator[NumberedRow]:
        """Yield every row with its number; one that can't be read is a :class:`RowError`.

        Raises
        ------
        UsageProblemError
            The file can't be read at all.
        """
        try:
            with self._open() as text:
                if self.format == "csv":
                    yield from self._csv_rows(text, check_header)
                else:
                    yield from _ndjson_rows(text)
        except (OSError, EOFError, UnicodeDecodeError) as error:
            raise UsageProblemError(f"can't read {self.path}: {error}") from None

    @contextmanager
    def _open(self) -> Iterator[io.TextIOWrapper]:
        with self.path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            plain = gzip.GzipFile(fileobj=raw) if packed else raw
            with io.TextIOWrapper(plain, encoding=self.encoding, newline="") as text:
                yield text

    def _csv_rows(
        self, text: io.TextIOWrapper, check_header: Callable[[list[str]], None] | None
    ) -> Iterator[NumberedRow]:
        reader = csv.reader(text, delimiter=self.delimiter)
        header = next(reader, None)
        if header is None:
            raise UsageProblemError(f"{self.path} is empty: it needs a header line")
        if check_header:
            check_header(header)
        number = 0
        while True:
            number += 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield number, RowError("row", f"is no CSV: {error}")
                continue
            if cells is None:
                return
            if len(cells) == len(header):
                yield number, dict(zip(header, cells, strict=True))
            elif cells:
                rule = f"has {len(cells)} fields where the header has {len(header)}"
                yield number, RowError("row", rule)


def _ndjson_rows(text: io.TextIOWrapper) -> Iterator[NumberedRow]:
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            yield number, RowError("row", "is no JSON")
            continue
        if isinstance(value, dict):
            yield number, value
        else:
            yield number, RowError("row", "must be a JSON object")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
