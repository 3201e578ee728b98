"""What the terminal says when a handler fails: one line, with the place in the source.

The HTTP API's client gets a 500 without detail, as on AWS. Who changes the code sees here what
broke; the trace follows in ``logs/dev.log``. Of the event nothing is shown but what the
exception's own message quotes.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

logger = logging.getLogger(__name__)

LONGEST_MESSAGE = 300
"""Characters of an exception's message that are shown."""

REPEAT_S = 10.0
"""How long the same line isn't said again: a broken handler fails at every call."""

# A frame says `File "x", line 3`, the runtime client's entry for a SyntaxError `File "x" Line 3`.
_PLACE = re.compile(r'File "([^"]+)",? [Ll]ine (\d+)')


class FunctionErrors:
    """Tells about failed calls.

    Parameters
    ----------
    now_s
        The clock, in seconds.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._said: dict[str, float] = {}

    def tell(self, function: str, body: bytes) -> None:
        """Log what a failed call answered, unless the same was logged a moment ago.

        Parameters
        ----------
        function
            The function's name.
        body
            Lambda's error document.
        """
        error = _document(body)
        line = summary(function, error)
        now_s = self._now_s()
        self._said = {old: at for old, at in self._said.items() if now_s - at < REPEAT_S}
        if line in self._said:
            return
        self._said[line] = now_s
        logger.warning("%s", line)
        trace = _trace(error)
        if trace:
            logger.info("the whole trace of %s:\n%s", function, "\n".join(trace))


def summary(function: str, error: Mapping[str, Any]) -> str:
    """Spell a failed call in one line.

    >>> summary("Ingest", {"errorType": "KeyError", "errorMessage": "'a'"})
    "Ingest failed: KeyError: 'a'"
    """
    kind = error.get("errorType") or "Unhandled"
    message = " ".join(str(error.get("errorMessage") or "no message").split())
    if len(message) > LONGEST_MESSAGE:
        message = f"{message[:LONGEST_MESSAGE]} ..."
    line = f"{function} failed: {kind}: {message}"
    trace = _trace(error)
    places = [f"{found[1]}:{found[2]}" for entry in trace if (found := _PLACE.search(entry))]
    if places:
        line += f" at {places[-1]}"
    return f"{line} (whole trace: logs/dev.log)" if trace else line


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _trace(error: Mapping[str, Any]) -> Sequence[str]:
    found = error.get("stackTrace")
    return [str(entry).rstrip() for entry in found] if isinstance(found, list) else []
