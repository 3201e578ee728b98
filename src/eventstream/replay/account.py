"""What a replay did, line by line and object by object."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from common.errors import FieldError
from eventstream.replay.printable import printable

MOST_PROBLEMS = 1_000
"""Problems that are told one by one; all are counted."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that stays where it is, or an object that can't be replayed."""

    key: str
    line: int | None
    error: FieldError

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON shape."""
        return {"key": self.key, "line": self.line, **self.error.as_dict()}

    @property
    def said(self) -> str:
        """Spell it for a person."""
        name = self.key.rpartition("/")[2].removesuffix(".json")
        where = name if self.line is None else f"{name}, line {self.line}"
        return printable(f"{where}: {self.error.message} ({self.error.rule})")


@dataclass
class Account:
    """The figures of a replay: ``lines = sent + bad + unacknowledged`` without a dry run."""

    source: str
    dry_run: bool = False
    objects: int = 0
    """Objects that were looked at."""
    lines: int = 0
    """Lines of them that were not replayed before."""
    ready: int = 0
    """Lines that are events by today's rules."""
    sent: int = 0
    """Lines that the stream acknowledged."""
    quarantined: int = 0
    """Bad lines of given-up batches that lie in quarantine, so that the batch need not stay."""
    moved: int = 0
    """Objects that are done with, and moved."""
    replayed_before: int = 0
    """Objects whose line was replayed by an earlier run."""
    unacknowledged: int = 0
    bad: int = 0
    """Lines that are no events still."""
    refused: int = 0
    """Objects that can't be read or hold no records."""
    rules: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    interrupted: bool = False

    def still_bad(self, key: str, line: int, error: FieldError) -> None:
        """Count a line that is no event."""
        self.bad += 1
        self._note(Problem(key, line, error))

    def refuse(self, key: str, rule: str, message: str) -> None:
        """Count an object that can't be replayed."""
        self.refused += 1
        self._note(Problem(key, None, FieldError("object", rule, message)))

    def _note(self, problem: Problem) -> None:
        self.rules[problem.error.rule] += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to do or to mend."""
        return not (self.bad or self.refused or self.unacknowledged or self.interrupted)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON shape."""
        return {
            "source": self.source,
            "dry_run": self.dry_run,
            "objects": self.objects,
            "lines": self.lines,
            "ready": self.ready,
            "sent": self.sent,
            "quarantined": self.quarantined,
            "moved": self.moved,
            "replayed_before": self.replayed_before,
            "unacknowledged": self.unacknowledged,
            "bad": self.bad,
            "refused": self.refused,
            "interrupted": self.interrupted,
            "event_types": dict(sorted(self.types.items())),
            "rules": dict(sorted(self.rules.items())),
            "problems": [each.as_dict() for each in self.problems],
        }
