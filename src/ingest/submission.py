"""What a request submits, in one shape whichever client sent it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Sent(NamedTuple):
    """One event as a client sent it, in the names of ``IngestEvent``, unchecked.

    A tuple, as everything is that is made for each event: a frozen dataclass takes four times as
    long to make.
    """

    event: object
    """The event as decoded, or the :class:`common.errors.FieldError` that kept it from being so, or
    the :class:`common.models.IngestEvent` where it was plain to see."""
    original: object = None
    """The message as it came, for quarantine; ``None`` when ``event`` is just that."""
    own_clock: bool = False
    """The client is a server with a clock to believe: ``sent_at`` corrects nothing."""


@dataclass(frozen=True, slots=True)
class Submission:
    """The events of one request, in the order they were sent."""

    events: Sequence[Sent]
    single: bool = False
    """One event on its own, which is answered on its own."""
    whole: bool = False
    """The sender reads nothing but the status: the events are answered as one, and kept when they
    are rejected."""
    write_key: str | None = None
    """The key that the body names, unchecked."""
