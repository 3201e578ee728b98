"""The JSON of answers to what is sent, one model each; tests hold the functions to them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


def sometimes() -> Any:  # noqa: ANN401 - what Field itself returns
    """Mark a member that some answers do not have; where there is one, it is not null."""
    return Field(default=None, json_schema_extra=_without_default)


def _without_default(schema: dict[str, Any]) -> None:
    del schema["default"]


class Answer(BaseModel):
    """Base: what stands under a member is its description."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class FieldError(Answer):
    """What is wrong with one field; never repeats its value."""

    field: str
    """As the client spelled it; a path inside of properties and context; `body` for the whole."""
    rule: str
    """Code of the rule that is broken, such as `missing`: docs/api.md lists them."""
    message: str
    """A sentence for a person."""


class EventReceipt(Answer):
    """An event that came on its own is on the stream."""

    event_id: str
    status: Literal["accepted"]
    request_id: str


class EventResult(Answer):
    """What became of one event of a batch."""

    index: int
    """Position in the request, from 0."""
    event_id: str | None
    """The id it has; of a rejected event the client's own, if that was usable."""
    status: Literal["accepted", "rejected", "retry"]
    error: FieldError = sometimes()
    """Why it is not accepted."""


class BatchReceipt(Answer):
    """What became of each event; `accepted + rejected + retry` is how many were sent."""

    accepted: int
    rejected: int
    retry: int
    results: list[EventResult]
    request_id: str


class LibraryReject(Answer):
    """An event of a client library that can never be accepted; it is kept in quarantine."""

    index: int
    """Position in the request, from 0."""
    event_id: str | None
    error: FieldError


class LibraryReceipt(Answer):
    """Every valid event of the request is on the stream."""

    success: Literal[True]
    status: Literal[1]
    code: Literal[200]
    accepted: int
    rejected: list[LibraryReject]


class Problem(Answer):
    """What went wrong (RFC 9457), with a code and a message."""

    type: str
    """`urn:eventstream:` and the code."""
    title: str
    status: int
    detail: str
    """The same as `message`."""
    code: str
    message: str
    errors: list[FieldError]
    request_id: str


class SendingProblem(Problem):
    """A problem with what was sent, and what became of each event where there were several."""

    event_id: str = sometimes()
    """Of one event on its own that is to be sent again."""
    accepted: int = sometimes()
    rejected: int = sometimes()
    retry: int = sometimes()
    results: list[EventResult] = sometimes()


class LibraryProblem(Problem):
    """A problem as client libraries are told of it."""

    accepted: Literal[0] = sometimes()
    rejected: list[LibraryReject] = sometimes()


class InvalidFields(Answer):
    """Where the events are that Amplitude's libraries are to drop."""

    event: list[int]


class AmplitudeProblem(LibraryProblem):
    """A problem as Amplitude's libraries are told of it."""

    code: int  # type: ignore[assignment]  # they compare it with numbers
    """The status."""
    error: str
    events_with_invalid_fields: InvalidFields = sometimes()


class GatewayMessage(Answer):
    """What the gateway says by itself, before a function is asked or when it fails."""

    message: str
