"""One tree of errors; ``common.http`` owns the status and body of each.

::

    EventStreamError
    ├── InvalidRequestError      the client sent something we refuse         -> 400
    │   └── TooLargeError        a body, a batch or an event over its limit   -> 413
    ├── UnauthorizedError        no API key, or one that is not valid          -> 401
    ├── ForbiddenError           the key may not do this, or not from there   -> 403
    ├── NotFoundError            no such route, or nothing under that name    -> 404
    │   ├── EventNotSeenError    the event index has no event of that id      -> 404
    │   └── EventIndexOffError   there is no event index to look into         -> 404
    ├── MethodNotAllowedError    the route exists for another method          -> 405
    ├── ThrottledError           a dependency asked us to slow down           -> 503 + Retry-After
    ├── StoreError               a dependency failed in another way           -> 503 + Retry-After
    │   └── ConditionLostError   somebody else wrote first             (never leaves a service)
    ├── PoisonLineError          a stream line that no retry can fix          -> quarantine
    └── ConfigError              a setting is missing or wrong                -> crash in INIT

Anything else is a bug: it reaches the client as a 500 without detail, and the log in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of a request; never carries the client's value."""

    field: str
    """Path to the field, dotted, ``[n]`` for array positions; ``body`` for the whole."""
    rule: str
    """Stable code of the rule that was broken, e.g. ``missing`` or ``too_long``."""
    message: str
    """One sentence for a person."""

    def as_dict(self) -> dict[str, str]:
        """Return the JSON shape of the error bodies."""
        return {"field": self.field, "rule": self.rule, "message": self.message}


class EventStreamError(Exception):
    """Base of everything this project raises on purpose."""

    code = "internal_error"

    def __init__(self, message: str, *, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.errors = tuple(errors)


class InvalidRequestError(EventStreamError):
    """The client sent something we refuse."""

    code = "invalid_request"


class TooLargeError(InvalidRequestError):
    """A body, a batch or an event is over its limit."""

    code = "too_large"


class UnauthorizedError(EventStreamError):
    """The request carries no API key, or one that is not valid."""

    code = "unauthorized"


class ForbiddenError(EventStreamError):
    """The API key is valid, and not for this."""

    code = "forbidden"


class NotFoundError(EventStreamError):
    """Nothing is there under that route or name."""

    code = "not_found"


class EventNotSeenError(NotFoundError):
    """The event index has no event of that id."""

    code = "event_not_seen"


class EventIndexOffError(NotFoundError):
    """There is no event index to look into."""

    code = "event_index_off"


class MethodNotAllowedError(EventStreamError):
    """The route exists for another method."""

    code = "method_not_allowed"


class ThrottledError(EventStreamError):
    """A dependency asked us to slow down."""

    code = "throttled"


class StoreError(EventStreamError):
    """A dependency failed for a reason other than throttling."""

    code = "store_failed"


class ConditionLostError(StoreError):
    """A conditional write found that somebody else wrote first."""

    code = "condition_lost"


class PoisonLineError(EventStreamError):
    """A stream line that no retry can fix."""

    code = "poison_line"


class ConfigError(EventStreamError):
    """A setting is missing or wrong."""

    code = "bad_config"
