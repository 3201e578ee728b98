"""The answers that client libraries need: what each does with a status was measured.

- Success is 200 and nothing else, or some send everything again; its body serves them all.
- An error's body must have ``code`` and ``message``, or some take it for a broken network.
- 413 is sent again for good by some, so what is too large is answered with 400.
- A batch is answered as one: they forget it, or send it again. So no event may be called
  accepted, by a 200, while another of its batch is not on the stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common.errors import (
    EventStreamError,
    ForbiddenError,
    InvalidRequestError,
    TooLargeError,
    UnauthorizedError,
)
from common.http import Response, problem
from common.ports.stream import PutFailure
from ingest.receipts import Receipt, Result, extended, why_unfinished
from ingest.routes import Surface


def receipt(
    results: Sequence[Result],
    kept: PutFailure | None,
    surface: Surface,
    request_id: str,
) -> Receipt:
    """Write the answer to a client library.

    Parameters
    ----------
    results
        One per event, in the order they were sent; at least one.
    kept
        Why some rejected event is not on its way to quarantine; ``None`` when all are.
    surface
        Whose library asks.
    request_id
        Named in an error.
    """
    rejected = [
        {"index": index, "event_id": result.event_id, "error": result.errors[0].as_dict()}
        for index, result in enumerate(results)
        if result.errors
    ]
    valid = len(results) - len(rejected)
    if unfinished := why_unfinished(results, kept):
        error = unfinished("the stream did not acknowledge in time; send the whole request again")
        return Receipt(_refusal(error, surface, request_id), 0, len(rejected), valid)
    if not valid:
        return _none_valid(results, rejected, surface, request_id)
    body = {"success": True, "status": 1, "code": 200, "accepted": valid, "rejected": rejected}
    return Receipt(Response(200, body), valid, len(rejected), 0)


def refusal(error: EventStreamError, surface: Surface, request_id: str) -> Receipt:
    """Answer a request that could not be taken apart, or may not be."""
    return Receipt(_refusal(error, surface, request_id), 0, 0, 0)


def _none_valid(
    results: Sequence[Result], rejected: list[dict[str, Any]], surface: Surface, request_id: str
) -> Receipt:
    first = results[0].errors[0]
    message = f"no event is valid; of the first: {first.message}"
    error = InvalidRequestError(message, errors=results[0].errors)
    members: dict[str, Any] = {"accepted": 0, "rejected": rejected}
    if surface == "amplitude":
        # Its library drops the events at these positions, and sends all others again.
        members["events_with_invalid_fields"] = {"event": list(range(len(results)))}
    response = extended(_refusal(error, surface, request_id), members)
    return Receipt(response, 0, len(results), 0)


def _refusal(error: EventStreamError, surface: Surface, request_id: str) -> Response:
    if isinstance(error, TooLargeError):
        error = InvalidRequestError(error.message, errors=error.errors)
    response = problem(error, request_id)
    if surface != "amplitude":
        return response
    # Amplitude's libraries compare the code with numbers, and look for the reason in "error".
    denied = isinstance(error, UnauthorizedError | ForbiddenError)
    reason = f"Invalid API key: {error.message}" if denied else error.message
    return extended(response, {"code": response.status, "error": reason})
