"""Where people's sessions are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from common.domain.sessions import Person
from common.domain.timelines import Timeline


@dataclass(frozen=True, slots=True)
class Change:
    """A person's timeline, to be written in the place of the one that it was made of."""

    person: Person
    timeline: Timeline
    over: int | None
    """Version of the stored timeline; ``None``: there must be none."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of some changes; one in neither was not written for a neighbour's sake."""

    done: frozenset[Person]
    lost: Mapping[Person, Timeline | None]
    """What is stored instead, of people for whom another write came first."""


class SessionStore(Protocol):
    """Keeps one timeline per person, written whole.

    Every method raises ``ThrottledError`` or ``StoreError`` when the store does not answer; some
    of the changes may have been written then, or may yet be.
    """

    def begin(self) -> None:
        """Take what follows for another batch, which has its own time to wait for a busy store."""
        return

    def read(self, people: Sequence[Person]) -> Mapping[Person, Timeline]:
        """Return what is stored of some people, perhaps as it was a moment ago."""
        ...

    def write(self, changes: Sequence[Change]) -> Written:
        """Write timelines over the versions that they name, many at a time.

        A change that was sent twice because its first answer got lost may be found lost: what is
        stored has then its version.
        """
        ...


@dataclass(frozen=True, slots=True)
class ActiveSlot:
    """People whose last event lies in the same five minutes: one partition of them."""

    at: datetime
    """An instant in the five minutes."""
    part: int
    """Which of their partitions, from 0."""
    after: str = ""
    """Only people whose keys sort behind this one."""


@dataclass(frozen=True, slots=True)
class PersonSessions:
    """A person and their sessions."""

    person: Person
    timeline: Timeline


class SessionReadings(Protocol):
    """People's sessions, as readers see them: what is past its ``ttl`` is not there.

    Every method raises ``ThrottledError`` or ``StoreError`` when the store does not answer.
    """

    def of_person(self, key: str) -> PersonSessions | None:
        """Return what is stored under a person's name in keys."""
        ...

    def of_people(self, keys: Sequence[str]) -> list[PersonSessions]:
        """Return what is stored of some people, in the order of their keys where there is any."""
        ...

    def active(self, slots: Sequence[ActiveSlot], limit: int) -> list[list[str]]:
        """Return, for each slot, the keys of at most ``limit`` people in it, in order."""
        ...

    def check(self) -> bool:
        """Try to read and tell whether the store answered."""
        ...
