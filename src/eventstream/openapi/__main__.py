"""Write the description of the HTTP API: ``python -m eventstream.openapi [--check]``."""

from __future__ import annotations

import argparse
import sys

from eventstream.local.state import find_project
from eventstream.openapi import document


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or say which are old."""
    parser = argparse.ArgumentParser(prog="python -m eventstream.openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say which files are old")
    check = parser.parse_args(arguments).check
    changed = (document.stale if check else document.write)(find_project())
    for name in changed:
        sys.stderr.write(f"{name}: {'old; run `make openapi`' if check else 'written'}\n")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
