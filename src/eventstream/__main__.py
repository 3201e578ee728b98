"""``python -m eventstream``: the command line."""

import sys

from eventstream.cli import main

if __name__ == "__main__":
    sys.exit(main())
