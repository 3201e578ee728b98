"""What a client is told about each event it sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, cast

from common.errors import (
    EventStreamError,
    FieldError,
    InvalidRequestError,
    StoreError,
    ThrottledError,
    TooLargeError,
)
from common.http import Response, problem
from common.ports.stream import PutFailure

EVENT_TOO_LARGE = "event_too_large"
"""Rule of an event that takes too many bytes; on its own it is answered with 413."""

_SEND_AGAIN = "the stream did not acknowledge in time; send again after the seconds in Retry-After"
_NOT_ACKNOWLEDGED = "the stream did not acknowledge it in time; send it again under this event_id"


class Result(NamedTuple):
    """What became of one event."""

    event_id: str | None
    """The id it has; of a rejected event the client's own, if that was usable."""
    errors: Sequence[FieldError] = ()
    """Why it was rejected."""
    failure: PutFailure | None = None
    """Why it is to be sent again."""

    @property
    def status(self) -> Literal["accepted", "rejected", "retry"]:
        """Say it in one word."""
        if self.errors:
            return "rejected"
        return "retry" if self.failure else "accepted"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to one request, and its figures: they add up to the events that were sent."""

    response: Response
    accepted: int
    rejected: int
    retry: int
    source: str | None = None
    """Who sent it, when that is known."""


def receipt(
    results: Sequence[Result],
    request_id: str,
    *,
    single: bool,
    whole: bool = False,
    lost: PutFailure | None = None,
) -> Receipt:
    """Write the answer to a request.

    Parameters
    ----------
    results
        One per event, in the order they were sent; at least one.
    request_id
        Named in the answer, so that a client can ask about it.
    single
        The event came on its own: it is answered without a list.
    whole
        The sender takes any 2xx for success: none may be said while an event is to be sent again.
    lost
        Why the stream did not take the rejected events of such a sender, if it did not.
    """
    statuses = [result.status for result in results]
    accepted, rejected = statuses.count("accepted"), statuses.count("rejected")
    retry = len(results) - accepted - rejected
    if single:
        response = _one(results[0], request_id)
    else:
        unfinished = why_unfinished(results, lost)
        response = _many(results, statuses, request_id, unfinished, whole=whole)
    return Receipt(response, accepted, rejected, retry)


def why_unfinished(
    results: Sequence[Result], lost: PutFailure | None = None
) -> type[ThrottledError | StoreError] | None:
    """Return the error of a request that is to be sent again, if it is.

    Where rejected events are kept for their sender, ``lost`` says why one is not: it is sent again
    for their sake too, unless no event is valid; then the refusal says what is wrong.
    """
    failures = {result.failure for result in results if result.failure}
    if lost and not all(result.errors for result in results):
        failures.add(lost)
    if not failures:
        return None
    return ThrottledError if "throttled" in failures else StoreError


def _one(result: Result, request_id: str) -> Response:
    if result.status == "accepted":
        body = {"event_id": result.event_id, "status": "accepted", "request_id": request_id}
        return Response(200, body)
    error = _as_error(result)
    refused = problem(error, request_id)
    return refused if result.errors else extended(refused, {"event_id": result.event_id})


def _as_error(result: Result) -> EventStreamError:
    if result.errors:
        first = result.errors[0]
        kind = TooLargeError if first.rule == EVENT_TOO_LARGE else InvalidRequestError
        return kind(first.message, errors=result.errors)
    return (why_unfinished([result]) or StoreError)(_SEND_AGAIN)


def _many(
    results: Sequence[Result],
    statuses: Sequence[str],
    request_id: str,
    unfinished: type[ThrottledError | StoreError] | None,
    *,
    whole: bool,
) -> Response:
    counts = {name: statuses.count(name) for name in ("accepted", "rejected", "retry")}
    body: dict[str, Any] = {
        **counts,
        "results": [_row(index, result) for index, result in enumerate(results)],
        "request_id": request_id,
    }
    if counts["accepted"] == len(results):
        return Response(200, body)
    if counts["accepted"] and not (whole and unfinished):
        return Response(207, body)
    if unfinished:
        return extended(problem(unfinished(_SEND_AGAIN), request_id), body)
    error = InvalidRequestError("no event of the batch is valid; results says why, one by one")
    return extended(problem(error, request_id), body)


def _row(index: int, result: Result) -> dict[str, Any]:
    row = {"index": index, "event_id": result.event_id, "status": result.status}
    if result.errors:
        return {**row, "error": result.errors[0].as_dict()}
    if result.failure:
        return {**row, "error": FieldError("event", result.failure, _NOT_ACKNOWLEDGED).as_dict()}
    return row


def extended(response: Response, members: Mapping[str, Any]) -> Response:
    """Return a problem with more members; RFC 9457 lets them stand beside its own."""
    own = cast("Mapping[str, Any]", response.body)
    return replace(response, body={**own, **members})
