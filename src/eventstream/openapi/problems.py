"""Answers that tell what went wrong, by status: ours, and those that the gateway gives alone."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from common.errors import ConditionLostError, EventStreamError
from common.http import STATUS
from eventstream.openapi.schemas import ref

Json = dict[str, Any]

WORDS: Mapping[int, str] = {
    400: "Nothing of the request is valid; `errors` names each field and the rule it breaks.",
    401: "No API key where one is required, or one that is not valid.",
    403: "The API key is not for this route, or not for pages of this origin.",
    404: "There is no such path, or nothing under this name.",
    405: "The path is for another method.",
    413: "Over a limit, which the message names.",
    503: "Not done for now: send again after the seconds in `Retry-After`.",
}
"""What each status of ours means."""

GATEWAY: Mapping[int, str] = {
    429: "Over the rate of the API; answered by the gateway.",
    500: "A fault of ours; answered by the gateway.",
}
"""Answers of the gateway alone. It gives others in its form too: 413 above 10 MB, and 503."""
_GATEWAY_TOO = (413, 503)

_HEADERS: Mapping[int, Json] = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}},
    503: {
        "Retry-After": {
            "description": "Seconds, 1 to 5.",
            "schema": {"type": "integer", "minimum": 1},
        }
    },
}


def codes() -> dict[int, list[str]]:
    """Return the codes that a client can be answered, by status.

    An error of status 500 crashes the function or never leaves it, and a lost condition never
    leaves a service: neither is answered as a problem.
    """
    found: dict[int, list[str]] = {}
    for kind, status in STATUS.items():
        if status != 500 and kind is not EventStreamError and kind is not ConditionLostError:
            found.setdefault(status, []).append(kind.code)
    return found


def responses(statuses: tuple[int, ...], problem: str = "Problem") -> Json:
    """Return the refusals of an operation by their status, its gateway's among them."""
    ours = {
        str(status): {"$ref": f"#/components/responses/{problem}{status}"} for status in statuses
    }
    alone = {str(status): {"$ref": f"#/components/responses/Gateway{status}"} for status in GATEWAY}
    return dict(sorted((ours | alone).items()))


def components() -> Json:
    """Return every response that :func:`responses` points to, and one for each other status."""
    made = {f"Problem{status}": _response(status, "Problem") for status in codes()}
    for status in (400, 503):
        made[f"SendingProblem{status}"] = _response(status, "SendingProblem")
    for status in (400, 401, 403, 503):
        made[f"LibraryProblem{status}"] = _response(status, "LibraryProblem")
        made[f"AmplitudeProblem{status}"] = _response(status, "AmplitudeProblem")
    for status, words in GATEWAY.items():
        made[f"Gateway{status}"] = {"description": words, "content": _gateway()}
    return dict(sorted(made.items()))


def _response(status: int, problem: str) -> Json:
    content = {"application/problem+json": {"schema": _narrowed(status, problem)}}
    response: Json = {
        "description": WORDS[status],
        "content": content | _gateway() if status in _GATEWAY_TOO else content,
    }
    return {**response, "headers": _HEADERS[status]} if status in _HEADERS else response


def _narrowed(status: int, problem: str) -> Json:
    """Return a problem's schema, held to the values that it has at a status."""
    known = codes()[status]
    if problem in ("LibraryProblem", "AmplitudeProblem"):
        known = [code for code in known if code != "too_large"]
    is_number = problem == "AmplitudeProblem"
    return {
        "allOf": [ref(problem)],
        "properties": {
            "type": {"enum": [f"urn:eventstream:{code}" for code in known]},
            "title": {"const": _title(status)},
            "status": {"const": status},
            "code": {"const": status} if is_number else {"enum": known},
        },
    }


def _title(status: int) -> str:
    # Python 3.11 and 3.12 call 413 as RFC 7231 did.
    return "Content Too Large" if status == 413 else HTTPStatus(status).phrase


def _gateway() -> Json:
    return {"application/json": {"schema": ref("GatewayMessage")}}
