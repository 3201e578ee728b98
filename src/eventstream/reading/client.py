"""Reading a pipeline's HTTP API: one answer, or the rows of all its pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

from eventstream.load.client import (
    START_IT,
    Answer,
    UnexpectedAnswerError,
    UnreachableError,
    key_advice,
)
from eventstream.output import CommandError, UsageProblemError

PAGE_ROWS = 1000
"""Most rows of one page that the API gives."""

Parameters = Mapping[str, str | int | None]


class Getter(Protocol):
    """Something that can get a path; it raises ``OSError`` when nobody answers."""

    def get(self, path: str) -> Answer:
        """Get a path, query included."""
        ...


def read(api: Getter, path: str, parameters: Parameters | None = None) -> dict[str, Any]:
    """Get one answer.

    Parameters
    ----------
    api
        The pipeline's API.
    path
        The route.
    parameters
        Query parameters; those that are ``None`` are left out.

    Raises
    ------
    UsageProblemError
        The API refuses the parameters; the message says which and why.
    CommandError
        Nobody answers, or not as an EventStream API does.
    """
    given = {name: value for name, value in (parameters or {}).items() if value is not None}
    try:
        answer = api.get(f"{path}?{urlencode(given)}" if given else path)
    except OSError as error:
        raise UnreachableError(f"{error}: {START_IT}") from error
    body = answer.json()
    if answer.status == 200 and body:
        return body
    if answer.status == 400 and "detail" in body:
        raise UsageProblemError(str(body["detail"]))
    if "detail" in body:
        said = f"{body['detail']}{key_advice(answer)}"
        raise CommandError(f"{path} answered {answer.status}: {said}")
    if answer.status >= 500:
        raise UnexpectedAnswerError(
            f"{path} answered {answer.status}: the function behind it failed; its log says why "
            "(on this machine logs/dev.log of the state folder)"
        )
    raise UnexpectedAnswerError(
        f"{path} answered {answer.status} without a problem of EventStream: is this its address?"
    )


def read_rows(
    api: Getter, path: str, rows: str, parameters: Parameters, limit: int
) -> dict[str, Any]:
    """Get the first ``limit`` rows, from as many pages as it takes.

    Returns
    -------
    dict
        The first page's answer with all rows in it; its ``next_cursor`` is ``None`` when there
        are no more, and its ``request_id`` is the first page's.

    Raises
    ------
    UsageProblemError, CommandError
        As :func:`read`.
    """
    body = read(api, path, {**parameters, "limit": min(limit, PAGE_ROWS)})
    found, cursor = list(body[rows]), body["next_cursor"]
    while cursor is not None and len(found) < limit:
        wanted = {"limit": min(limit - len(found), PAGE_ROWS), "cursor": cursor}
        page = read(api, path, {**parameters, **wanted})
        found += page[rows]
        cursor = page["next_cursor"]
    return {**body, rows: found, "next_cursor": cursor}
