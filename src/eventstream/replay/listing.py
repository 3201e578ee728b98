"""Listing what waits, in quarantine or among the given-up batches: read, narrowed, bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from eventstream.output import note
from eventstream.progress import progress
from eventstream.replay.choice import Choice
from eventstream.replay.kept import UnreadableObjectError
from eventstream.replay.printable import print_safe_json, printable
from eventstream.replay.store import WaitingObjects


@dataclass(frozen=True)
class Listing:
    """How objects of one kind are listed.

    Attributes
    ----------
    name
        What they are called in JSON.
    nothing
        What is said when there are none.
    as_dict
        Gives the JSON shape of one.
    print_rows
        Prints some as a table.
    """

    name: str
    nothing: str
    as_dict: Callable[[Any], dict[str, Any]]
    print_rows: Callable[[Sequence[Any]], None]

    def show(self, objects: WaitingObjects, choice: Choice, limit: int, *, as_json: bool) -> None:
        """List the newest of what fits."""
        found = list(islice(chosen(objects, choice), limit + 1))
        shown, more = found[:limit], len(found) > limit
        if as_json:
            print_safe_json({self.name: [self.as_dict(one) for one in shown], "more": more})
            return
        if not shown:
            self.tell_nothing(choice)
            return
        self.print_rows(shown)
        if more:
            note(f"there is more: raise --limit (it is {limit})")

    def tell_nothing(self, choice: Choice) -> None:
        """Say that there are none, or none that fits."""
        note(self.nothing if choice == Choice() else f"{self.nothing} that fits")


def chosen(objects: WaitingObjects, choice: Choice) -> Iterator[Any]:
    """Read what fits, newest first; what can't be read is told of and left out."""
    listed = list(choice.of(objects.listed()))
    with progress("reading", len(listed)) as shown:
        for one in objects.read(listed):
            shown.advance(1)
            if isinstance(one, UnreadableObjectError):
                note(printable(str(one)))
            elif choice.holds(one):
                yield one
