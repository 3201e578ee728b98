"""Sending events so that every one is accounted for.

``accepted + rejected + given_up`` is always what was handed over. Only what the API asks to have
again is sent again, under the same event ids, so the lake drops a repeat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eventstream.load.client import (
    RETRY_STATUS,
    Answer,
    Patience,
    Poster,
    UnexpectedAnswerError,
    encode,
    key_advice,
)
from eventstream.output import CommandError

Event = Mapping[str, Any]

BATCH_PATH = "/events/batch"


@dataclass(frozen=True, slots=True)
class Rejection:
    """One event that the API will never take."""

    position: int
    """Its place in what was handed over, from 0."""
    errors: tuple[Mapping[str, str], ...]


@dataclass
class Outcome:
    """What became of some events."""

    sent: int = 0
    accepted: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    unanswered: list[int] = field(default_factory=list)
    """Places of the events that were given up; the API may still have taken some of them."""
    requests: int = 0
    resent: int = 0
    """How often an event was sent again."""
    last_problem: str = ""
    """Why the last failed try failed."""

    @property
    def rejected(self) -> int:
        return len(self.rejections)

    @property
    def given_up(self) -> int:
        return len(self.unanswered)

    def merge(self, other: Outcome) -> None:
        """Count another outcome in; its places stay what they were in their own batch."""
        self.sent += other.sent
        self.accepted += other.accepted
        self.rejections += other.rejections
        self.unanswered += other.unanswered
        self.requests += other.requests
        self.resent += other.resent
        self.last_problem = other.last_problem or self.last_problem


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What one answer says about the events of its request, by place in the request."""

    accepted: tuple[int, ...] = ()
    rejected: Mapping[int, tuple[Mapping[str, str], ...]] = field(default_factory=dict)
    again: tuple[int, ...] = ()
    too_large: bool = False
    problem: str = ""


def deliver(api: Poster, events: Sequence[Event], patience: Patience) -> Outcome:
    """Send events as one request batch until each is accepted, rejected or given up.

    Parameters
    ----------
    api
        Where to; safe to share between threads.
    events
        At most what one request may hold (a batch that is too large is halved); each should carry
        an ``event_id``, or a repeat can't be recognised.
    patience
        When to try again and when to stop.

    Raises
    ------
    UnexpectedAnswerError
        The address isn't an EventStream API, or refuses this client altogether.
    """
    outcome = Outcome(sent=len(events))
    _deliver(api, list(enumerate(events)), patience, outcome, patience.now())
    return outcome


def _deliver(
    api: Poster,
    pending: list[tuple[int, Event]],
    patience: Patience,
    outcome: Outcome,
    started: float,
) -> None:
    attempt = 0
    while pending:
        verdict, asked_s = _try(api, [event for _, event in pending], outcome)
        if verdict.too_large:
            middle = len(pending) // 2
            _deliver(api, pending[:middle], patience, outcome, started)
            _deliver(api, pending[middle:], patience, outcome, started)
            return
        outcome.accepted += len(verdict.accepted)
        for place, errors in verdict.rejected.items():
            outcome.rejections.append(Rejection(pending[place][0], errors))
        pending = [pending[place] for place in verdict.again]
        if not pending:
            return
        outcome.last_problem = verdict.problem
        wait_s = patience.wait_s(attempt, asked_s)
        if patience.is_over(started, wait_s):
            outcome.unanswered += [position for position, _ in pending]
            return
        patience.pause(wait_s)
        outcome.resent += len(pending)
        attempt += 1


def _try(api: Poster, events: Sequence[Event], outcome: Outcome) -> tuple[_Verdict, float]:
    body = encode(events)
    outcome.requests += 1
    everything = tuple(range(len(events)))
    try:
        answer = api.post(BATCH_PATH, body)
    except OSError as error:
        return _Verdict(again=everything, problem=str(error)), 0.0
    return _judge(answer, len(events)), answer.retry_after_s


def _judge(answer: Answer, count: int) -> _Verdict:
    body = answer.json()
    results = body.get("results")
    if isinstance(results, list) and len(results) == count:
        return _by_event(results, body)
    everything = tuple(range(count))
    problem = f"{answer.status} {body.get('message', '')}".strip()
    if answer.status in RETRY_STATUS:
        return _Verdict(again=everything, problem=problem)
    if answer.status == 413 and count > 1:
        return _Verdict(too_large=True)
    if answer.status in (400, 413) and body:
        errors = _errors(body)
        return _Verdict(rejected=dict.fromkeys(everything, errors), problem=problem)
    if advice := key_advice(answer):
        raise CommandError(f"the API answered {problem}{advice}")
    raise UnexpectedAnswerError(
        f"the API answered {problem or 'nothing'} to POST {BATCH_PATH}: is this an EventStream API?"
    )


def _by_event(results: Sequence[Mapping[str, Any]], body: Mapping[str, Any]) -> _Verdict:
    accepted, rejected, again = [], {}, []
    for place, result in enumerate(results):
        status = result.get("status")
        if status == "accepted":
            accepted.append(place)
        elif status == "rejected":
            rejected[place] = _errors(result.get("error") or {})
        else:
            again.append(place)
    problem = str(body.get("message") or "the stream is busy")
    return _Verdict(tuple(accepted), rejected, tuple(again), problem=problem)


def _errors(body: Mapping[str, Any]) -> tuple[Mapping[str, str], ...]:
    errors = body.get("errors")
    if isinstance(errors, list) and errors:
        return tuple(errors)
    return (
        {
            "field": str(body.get("field", "body")),
            "rule": str(body.get("rule") or body.get("code") or "refused"),
            "message": str(body.get("message", "refused")),
        },
    )
